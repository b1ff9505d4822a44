"""A small agent that answers questions about this project, with ratings by `agent_feedback`.

Run it with `python -m examples.agent_app`. The lines that add the ratings are in `agent.py` (the
decorators) and `start_server.py` (`mount`).
"""
