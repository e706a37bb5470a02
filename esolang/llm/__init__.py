"""Language models that write Brainf**k, Befunge and Python: prompts, samples, their execution and scores."""
