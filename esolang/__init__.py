"""The bridge to coding in Brainf**k and Befunge (not built yet)."""
