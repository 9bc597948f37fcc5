"""Captions and tags of artworks, as requests have them: lists beside that of the images."""

from core.artwork_uploads.arrived_uploads import UploadedArtwork
from core.errors import ValidationError
from core.identifiers import UploadId
from core.styles.new_style import ArtworkText
from entrypoints.http.params import comma_separated
from entrypoints.http.problems import one_per_image


def artwork_texts(artworks: int, captions: list[str], image_tags: list[str]) -> list[ArtworkText]:
    """One per artwork. Raises ValidationError."""
    per_image = {"captions": captions, "image_tags": image_tags}
    problems = {
        name: one_per_image(artworks, len(texts))
        for name, texts in per_image.items()
        if texts and len(texts) != artworks
    }
    if problems:
        raise ValidationError(**problems)
    return [
        ArtworkText(
            caption=captions[index] if captions else None,
            tags=comma_separated([image_tags[index]]) if image_tags else [],
        )
        for index in range(artworks)
    ]


def uploaded_artworks(upload_ids: list[UploadId], captions: list[str], image_tags: list[str]) -> list[UploadedArtwork]:
    """Raises ValidationError."""
    texts = artwork_texts(len(upload_ids), captions, image_tags)
    return [UploadedArtwork(*each) for each in zip(upload_ids, texts, strict=True)]
