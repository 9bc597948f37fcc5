from datetime import datetime

from core.generations.model import Generation
from core.styles.model import Offer
from core.tasks.model import GenerationOrder, GenerationTask, WebhookBase, generation_task


def task_for(
    generation: Generation, offer: Offer, *, at: datetime, signature: str, webhooks: WebhookBase
) -> GenerationTask:
    """The task of the current attempt; `signature` is the URI of the artist's signature image."""
    if offer.model_path is None:
        raise ValueError(f"style {offer.style_id} has no model")
    width, height = generation.aspect_ratio.size
    order = GenerationOrder(
        generation_id=generation.id,
        style_id=offer.version_id,
        lora_path=offer.model_path,
        prompt=", ".join(generation.prompt_tags),
        prompt_tags=generation.prompt_tags,
        aspect_ratio=generation.aspect_ratio.value,
        seed=generation.seed,
        width=width,
        height=height,
        attempt=generation.attempt,
        signature_path=signature,
    )
    return generation_task(generation.task_id, order, at=at, webhooks=webhooks)
