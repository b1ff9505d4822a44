"""The server: MLflow's own, with the feedback routes and the chat page."""

from __future__ import annotations

import os

from mlflow.genai.agent_server import AgentServer

from examples.agent_app.agent import assistant, feedback
from examples.agent_app.mlflow_ui import MlflowUi
from examples.agent_app.page import add_page

server = AgentServer("ResponsesAgent")
feedback.mount(server)
add_page(server.app, assistant.writer.description, MlflowUi(os.environ))
app = server.app
