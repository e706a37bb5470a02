"""What a language model is told about each programming language, and how its programs are run."""
