"""The calls that the frontend relies on, with the fields and refusals that were agreed on."""

import re
from dataclasses import dataclass, field
from typing import Any

from tests.entrypoints.pictures import picture, pictures
from tests.entrypoints.test_users import data_url


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    """With the names of things in the life below where ids are."""
    status: int = 200
    fields: str = ""
    """Of `data`, in the contract's own notation."""
    by: str | None = "ann"
    body: dict[str, Any] = field(default_factory=dict)
    refusals: str = ""
    """Codes, each behind its status: `409 DUPLICATE_LIKE`."""
    alone: str = ""
    """The header that the answer is about, where it has no body."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} by {self.by}"

    @property
    def template(self) -> str:
        return re.sub(r"{\w+}", "{}", self.path.partition("?")[0])


def listed(item: str, more: str = "") -> str:
    return f"{{results: [{item}], next_cursor, has_more{more}}}"


IMAGES = "{thumbnail: {webp, jpeg}, preview: {webp, jpeg}, original}"
ME = """{id, username, email, profile_image, images, role, token_balance, bio, created_at,
    artist: {id, artist_name, signature_image_url, verified_email, earned_token_balance, follower_count}}"""
ARTIST = "{id, artist_name, signature_image_url, verified_email, earned_token_balance, follower_count}"
PROFILE = """{id, username, profile_image, images, bio, role, created_at, is_following,
    artist: {id, artist_name, follower_count}, stats: {total_generations, public_generations, following_count}}"""
OWN_PROFILE = f"{PROFILE.removesuffix('}')}, updated_at}}"
PURCHASE = """{order_id, payment_url, package_id, amount_tokens, price_per_token, currency_code, total_price,
    expires_at}"""
TRANSACTION = """{id, type, direction, amount, status, refunded, price_per_token, total_price, currency_code, memo,
    created_at, sender, receiver, related_style, related_generation}"""
PAID = """{id, type, direction, amount, status, refunded, price_per_token, total_price, currency_code, memo,
    created_at, sender: {id, username}, receiver: {id, username}, related_style: {id, name},
    related_generation: {id, status}}"""
STYLE = f"""id, name, description, thumbnail_url, images: {IMAGES}, artist: {{id, username, artist_name}},
    training_status, generation_cost_tokens, license_type, usage_count, tags, created_at"""
STYLE_DETAIL = f"""{STYLE}, artist: {{id, username, artist_name, profile_image, images, follower_count}}, valid_from,
    valid_to, is_active, version, updated_at, stats: {{total_generations, avg_likes}},
    sample_artworks: [{{id, image_url, images: {IMAGES}, tags}}], progress"""
VERSION = """version, in_use, training_status, artwork_count, progress, checking, failure, review, model_path,
    training_metric, rights: {affirmed_by, affirmed_at, explicit, version}, created_at, updated_at, completed_at"""
EPOCHS = "{current_epoch, total_epochs, progress_percent, estimated_seconds, last_updated}"
GENERATION = """id, user_id, user: {id, username, profile_image, images},
    style: {id, name, version, artist: {id, artist_name}},
    status, consumed_tokens, license: {type, version}, aspect_ratio, seed, tags, description, is_public, like_count,
    comment_count, is_liked, result_url, images, progress, queue, error_message, refunded, created_at, updated_at"""
STEPS = "{current_step, total_steps, progress_percent, estimated_seconds, last_updated}"
FEED = f"""{{id, user: {{id, username, profile_image, images}},
    style: {{id, name, version, artist: {{id, artist_name}}}},
    result_url, images: {IMAGES}, description, aspect_ratio, like_count, comment_count, is_liked, tags, created_at}}"""
COMMENT = """id, user: {id, username, profile_image, images}, content, is_hidden, parent_id, created_at,
    updated_at"""
COMMENTS = f"{{{COMMENT}, reply_count, replies: [{{{COMMENT}}}]}}"
NOTIFICATION = """{id, type, actor: {id, username, profile_image, images}, target_type, target_id,
    target: {id, name, image_url, result_url, images}, metadata, is_read, created_at}"""
FOUND = f"""{{styles: [{{id, name, thumbnail_url, images: {IMAGES}, artist: {{id, username, artist_name}}, matched_by,
    usage_count}}], artists: [{{id, username, artist_name, profile_image, images, follower_count, matched_by}}]}}"""
STYLE_REFUSALS = """403 ARTIST_ONLY 403 STYLE_LIMIT_REACHED 409 DUPLICATE_STYLE_NAME 422 RIGHTS_NOT_AFFIRMED
    422 INSUFFICIENT_IMAGES 422 TOO_MANY_IMAGES 422 INVALID_IMAGE_FORMAT 422 IMAGE_SIZE_EXCEEDED
    422 IMAGE_RESOLUTION_TOO_LOW 422 DUPLICATE_IMAGE 422 INVALID_TAG_LANGUAGE"""
NEW_STYLE = {
    "name": "Oil",
    "description": "",
    "generation_cost_tokens": "30",
    "license_type": "personal",
    "tags": "oil",
}
SIGNATURE = data_url(picture(64, 64))

CALLS = [
    # 1. Auth
    Call("GET", "/api/auth/google/login?next=/styles", 302, by=None, alone="location"),
    Call("GET", "/api/auth/google/callback?code=a&state=b", 302, by=None, alone="location"),
    Call("GET", "/api/auth/me", fields=ME, by="mia", refusals="401 UNAUTHORIZED"),
    Call("POST", "/api/auth/logout"),
    # 2. Users
    Call("GET", "/api/users/{mia}", fields=PROFILE, refusals="404 USER_NOT_FOUND"),
    Call(
        "PATCH",
        "/api/users/me",
        fields=OWN_PROFILE,
        by="mia",
        body={"data": {"username": "mina", "bio": "Hello"}, "files": {"profile_image": ("me.png", picture(64, 64))}},
        refusals="409 USERNAME_TAKEN",
    ),
    Call(
        "POST",
        "/api/users/me/upgrade-to-artist",
        201,
        fields=f"{{user: {ME}, artist: {ARTIST}}}",
        body={"json": {"artist_name": "Ann", "verified_email": "ann@example.com", "signature_image": SIGNATURE}},
        refusals="409 ALREADY_ARTIST",
    ),
    Call("DELETE", "/api/users/me", 204, by="zoe"),
    Call(
        "POST",
        "/api/users/{zoe}/follow",
        fields="{following, follower_count}",
        refusals="400 SELF_FOLLOW_NOT_ALLOWED 409 DUPLICATE_FOLLOW 404 USER_NOT_FOUND",
    ),
    Call("DELETE", "/api/users/{mia}/follow", 204),
    Call(
        "GET",
        "/api/users/me/following",
        fields=listed("{id, username, profile_image, images, artist_name, role, follower_count, followed_at}"),
    ),
    # 3. Tokens
    Call("GET", "/api/tokens/balance", fields="{user_id, token_balance, held_tokens, earned_token_balance}"),
    Call(
        "GET",
        "/api/tokens/packages",
        fields="[{package_id, amount_tokens, total_price, price_per_token, currency_code}]",
    ),
    Call(
        "POST",
        "/api/tokens/purchase",
        201,
        fields=PURCHASE,
        body={"json": {"package_id": "basic_100"}},
        refusals="400 INVALID_PACKAGE",
    ),
    Call("GET", "/api/tokens/purchases/{order}", fields=PURCHASE.replace("payment_url", "status")),
    Call(
        "POST",
        "/api/tokens/purchases/{bought}/refund",
        202,
        fields="{order_id, status, total_price, refunded_price, refund: {status, tokens, price, reason, failure}}",
        by="zoe",
        refusals="404 PURCHASE_NOT_FOUND 409 NOT_REFUNDABLE",
    ),
    *(Call("GET", f"/api/tokens/transactions?type={type}", fields=listed(TRANSACTION)) for type in ("all", "bonus")),
    *(Call("GET", f"/api/tokens/transactions?type={type}", fields=listed(PAID)) for type in ("generation", "refund")),
    Call("GET", "/api/tokens/transactions?type=purchase", fields="{results, next_cursor, has_more}"),
    Call("GET", "/api/tokens/transactions?type=withdrawal", fields="{results, next_cursor, has_more}"),
    Call(
        "POST",
        "/api/tokens/withdrawals",
        201,
        fields="{id, amount, status}",
        by="mia",
        body={"json": {"amount": 1}},
        refusals="402 INSUFFICIENT_TOKENS 403 ARTIST_ONLY",
    ),
    *(
        Call(
            "GET",
            f"/api/tokens/earnings?from=2026-01-01&to=2026-01-31&tz=Asia/Seoul&group_by={by}",
            fields=fields,
            by="mia",
        )
        for by, fields in (
            ("day", "{images, tokens, results: [{day, images, tokens}]}"),
            ("style", "{images, tokens, results: [{style: {id, name}, images, tokens}]}"),
        )
    ),
    # 4. Styles
    Call("GET", "/api/styles?sort=recent", fields=listed(f"{{{STYLE}}}"), by=None),
    Call("GET", "/api/styles?sort=popular&tags=ink&artist_id={mia}", fields=listed(f"{{{STYLE}}}"), by=None),
    Call("GET", "/api/styles?training_status=completed", fields=listed(f"{{{STYLE}}}"), by=None),
    Call("GET", "/api/styles?training_status=all", fields=listed(f"{{{STYLE}}}"), by="mia"),
    Call("GET", "/api/styles/{style}", fields=f"{{{STYLE_DETAIL}}}", by=None, refusals="404 STYLE_NOT_FOUND"),
    Call(
        "GET",
        "/api/styles/{training}",
        fields=f"""{{{STYLE_DETAIL}: {EPOCHS}, model_path, training_metric, artworks, failure,
            rights: {{affirmed_by, affirmed_at, explicit, version}}, takedown}}""",
        by="mia",
    ),
    Call(
        "POST",
        "/api/styles",
        201,
        fields="{id, name, training_status, artwork_count, created_at, progress}",
        by="mia",
        body={"data": NEW_STYLE, "files": pictures(10)},
        refusals=STYLE_REFUSALS,
    ),
    Call(
        "PATCH",
        "/api/styles/{style}",
        fields=f"""{{{STYLE_DETAIL}, model_path, training_metric, failure,
            rights: {{affirmed_by, affirmed_at, explicit, version}}, takedown}}""",
        by="mia",
        body={
            "json": {
                "description": "New",
                "generation_cost_tokens": 40,
                "license_type": "commercial",
                "valid_to": None,
                "is_active": True,
                "show_samples": True,
            }
        },
        refusals="422 STYLE_NOT_READY 403 FORBIDDEN",
    ),
    Call("PATCH", "/api/styles/{style}", by="mia", body={"files": {"thumbnail": ("t.png", picture(64, 64))}}),
    Call("GET", "/api/styles/{style}/versions", fields=f"[{{{VERSION}}}]", by="mia", refusals="403 FORBIDDEN"),
    Call(
        "GET",
        "/api/styles/{style}/versions/{first}",
        fields=f"{{{VERSION}, artworks: [{{id, image_url, caption, tags, width, height}}]}}",
        by="mia",
        refusals="404 VERSION_NOT_FOUND 404 STYLE_NOT_FOUND 403 FORBIDDEN",
    ),
    Call(
        "POST",
        "/api/styles/{style}/versions",
        201,
        fields="{style_id, version, training_status, created_at}",
        by="mia",
        body={"json": {"upload_ids": ["{upload}"], "captions": ["a cat"], "image_tags": ["cat"]}},
        refusals="""404 STYLE_NOT_FOUND 403 FORBIDDEN 409 STYLE_WITHDRAWN 409 VERSION_NOT_READY 409 VERSION_IN_TRAINING
            403 VERSION_LIMIT_REACHED 422 UNUSABLE_UPLOAD 422 UPLOAD_MISSING 422 TOO_MANY_IMAGES""",
    ),
    Call("POST", "/api/styles/{failed}/retrain", 202, by="mia", refusals="409 TRAINING_IN_PROGRESS"),
    Call("DELETE", "/api/styles/{style}", 204, by="mia"),
    Call(
        "POST",
        "/api/styles/{style}/withdraw",
        fields=f"""{{{STYLE_DETAIL}, model_path, training_metric, failure,
            takedown: {{at, reason, by_admin, keeps_images, pending}}}}""",
        by="mia",
        body={"json": {"reason": "No longer mine to license.", "keep_images": True}},
        refusals="404 STYLE_NOT_FOUND 403 FORBIDDEN",
    ),
    Call("GET", "/api/styles/me", fields=listed(f"{{{STYLE}, total_earned_tokens, progress}}"), by="mia"),
    Call("GET", "/api/styles/{style}/examples", fields=listed(FEED), by=None),
    Call("GET", "/api/styles/{style}/recommended-tags", fields="[{name, count}]", by=None),
    Call("GET", "/api/terms", fields="[{version, rights, licenses: [{type, text}]}]", by=None),
    Call("GET", "/api/styles/{style}/events", fields=f"{{{STYLE_DETAIL}}}", by=None),
    # 5. Generations
    Call(
        "POST",
        "/api/generations",
        201,
        fields="""{id, user_id, style_id, status, consumed_tokens, aspect_ratio, created_at, progress,
            queue: {position, estimated_seconds}}""",
        body={
            "json": {
                "style_id": "{style}",
                "prompt_tags": ["cat"],
                "description": "고양이",
                "aspect_ratio": "1:2",
                "seed": 7,
                "expected_price": 30,
            }
        },
        refusals="""402 INSUFFICIENT_TOKENS 402 DEBT_OUTSTANDING 404 STYLE_NOT_FOUND 409 PRICE_CHANGED
            422 STYLE_NOT_READY 422 INVALID_TAG_LANGUAGE 422 VALIDATION_ERROR""",
    ),
    Call("GET", "/api/generations/{image}", fields=f"{{{GENERATION}}}", by=None),
    Call("GET", "/api/generations/{processing}", fields=f"{{{GENERATION}, progress: {STEPS}}}"),
    Call("GET", "/api/generations/{queued}", fields=f"{{{GENERATION}, queue: {{position, estimated_seconds}}}}"),
    *(
        Call("GET", f"/api/generations/feed?{query}", fields=listed(FEED))
        for query in ("", "sort=recent&tags=woman", "sort=popular&user_id={ann}")
    ),
    Call("GET", "/api/generations/feed?following=true", fields=listed(FEED), by="zoe"),
    *(
        Call("GET", f"/api/generations/me?{query}", fields=listed(f"{{{GENERATION}}}"))
        for query in (
            *(f"status={status}" for status in ("all", "queued", "processing", "completed", "failed")),
            *(f"is_public={public}" for public in ("all", "true", "false")),
        )
    ),
    Call(
        "PATCH",
        "/api/generations/{image}",
        fields=f"{{{GENERATION}}}",
        body={"json": {"is_public": False, "description": "Mine"}},
    ),
    Call(
        "POST",
        "/api/generations/{queued}/cancel",
        fields=f"{{{GENERATION}}}",
        refusals="409 GENERATION_STILL_PROCESSING",
    ),
    Call("GET", "/api/generations/{image}/events", fields=f"{{{GENERATION}}}"),
    # 6. Community
    Call("POST", "/api/generations/{image}/like", fields="{liked, like_count}", refusals="409 DUPLICATE_LIKE"),
    Call("DELETE", "/api/generations/{image}/like", 204, by="zoe"),
    Call("GET", "/api/generations/{image}/comments", fields=listed(COMMENTS), by=None),
    Call("GET", "/api/comments/{comment}/replies", fields=listed(f"{{{COMMENT}}}"), by=None),
    Call(
        "POST",
        "/api/generations/{image}/comments",
        201,
        fields=f"{{{COMMENT}}}",
        body={"json": {"content": "Nice", "parent_id": "{comment}"}},
        refusals="422 REPLY_DEPTH_EXCEEDED",
    ),
    Call(
        "PATCH",
        "/api/comments/{comment}",
        fields=f"{{{COMMENT}}}",
        body={"json": {"content": "Nicer"}},
        refusals="403 FORBIDDEN 404 COMMENT_NOT_FOUND",
    ),
    Call("DELETE", "/api/comments/{comment}", 204, refusals="403 FORBIDDEN 404 COMMENT_NOT_FOUND"),
    Call(
        "POST",
        "/api/reports",
        201,
        fields="{id, target_type, target_id, reason, text, status, created_at, ended_at}",
        by="zoe",
        body={"json": {"target_type": "generation", "target_id": "{image}", "reason": "copyright", "text": "Not hers"}},
        refusals="""404 GENERATION_NOT_FOUND 404 STYLE_NOT_FOUND 404 COMMENT_NOT_FOUND 404 USER_NOT_FOUND
            400 SELF_REPORT_NOT_ALLOWED 409 ALREADY_REPORTED""",
    ),
    # 7. Search and tags
    Call("GET", "/api/search?q=i&type=all&limit=5", fields=FOUND, by=None),
    Call("GET", "/api/search?q=ink&type=styles", fields="{styles: [{id}], artists}", by=None),
    Call("GET", "/api/search?q=mia&type=artists", fields="{styles, artists: [{id}]}", by=None),
    Call("GET", "/api/tags?search=in&limit=5", fields="[{id, name, usage_count}]", by=None),
    # 8. Notifications
    *(
        Call("GET", f"/api/notifications?unread_only={only}", fields=listed(NOTIFICATION, ", unread_count"))
        for only in ("true", "false")
    ),
    Call("PATCH", "/api/notifications/{notification}/read"),
    Call("POST", "/api/notifications/read-all", fields="{updated_count}"),
    Call("GET", "/api/notifications/events"),
    # 10. Health, metrics, documents
    Call("GET", "/api/health", fields="{status, version, checks: {database, queue, storage}}", by=None),
    Call("GET", "/api/health/live", by=None),
    Call("GET", "/api/health/ready", by=None),
]
