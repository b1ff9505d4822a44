"""The server: MLflow's own, with the feedback routes and the chat page."""

from __future__ import annotations

from mlflow.genai.agent_server import AgentServer

from examples.agent_app.agent import feedback
from examples.agent_app.page import add_page

server = AgentServer("ResponsesAgent")
feedback.mount(server)
add_page(server.app)
app = server.app
