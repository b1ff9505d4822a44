"""The agent routes as ASGI messages: answers completed, quiet streams kept alive."""
