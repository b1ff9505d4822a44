"""The command line, for operators: one module per command."""

from agent_feedback.cli.command_line import main

__all__ = ["main"]
