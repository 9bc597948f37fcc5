import asyncio
from dataclasses import dataclass

import httpx

from adapters.development.simulated_ai.inference import InferenceServer
from adapters.development.simulated_ai.pace import Pace
from adapters.development.simulated_ai.training import TrainingServer
from adapters.task_source import TaskSource
from core.ports.blob_store import BlobStore
from core.secret import Secret


@dataclass(frozen=True, slots=True)
class SimulatedAIServers:
    """A training server and an inference server, each processing one task at a time."""

    source: TaskSource
    blobs: BlobStore
    training_token: Secret
    """The bearer token of its webhooks."""
    inference_token: Secret
    pace: Pace

    async def run(self) -> None:
        """Work until cancelled."""
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as servers:
            training = TrainingServer(self.blobs, client, self.training_token, self.pace)
            inference = InferenceServer(self.blobs, client, self.inference_token, self.pace)
            servers.create_task(self.source.consume("model_training", training))
            servers.create_task(self.source.consume("image_generation", inference))
