"""A page to look at runs: curves, costs, settings and games of one run or of several beside one another.

    python -m rl_pretrain.dashboard runs/go_9x9/cpu
    python -m rl_pretrain.dashboard runs/synthetic_tasks/solve --out solve.html

The page is one file that needs nothing else: no server, no network, no program but a browser.
"""
