"""What the tests of reports share."""

from io import BytesIO

from core.accounts.errors import UserNotFound
from core.accounts.model import Standing, User
from core.audit.model import Operator
from core.audit.views import AuditLine
from core.community.post_comment import NewComment, PostComment
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.model import Generation
from core.identifiers import ReportId
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.ports.blob_store import Blob
from core.reports.dismiss_report import DismissReport
from core.reports.model import Report, ReportReason, ReportStatus, Target, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.reports.uphold_report import UpholdReport
from core.reports.views import ReportToResolve
from core.styles.model import Style
from tests.support.pictures import picture
from tests.support.world import World

IMAGE, STYLE, COMMENT, USER = TargetType.GENERATION, TargetType.STYLE, TargetType.COMMENT, TargetType.USER


KINDS = [UpholdReport, DismissReport]


class Scene:
    """Mia's style and image, with a comment of hers, and others who do not like them."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def set(self) -> None:
        world = self.world
        self.mia, self.ann, self.bob, self.cid = (
            await world.artist("mia", tokens=100),
            await world.user("ann"),
            await world.user("bob"),
            await world.user("cid"),
        )
        self.eve = Operator((await world.admin("eve")).id)
        self.style = await world.style(self.mia)
        image = await world.image(self.mia, self.style)
        assert image.result_key
        await world.blobs.put(Blob(image.result_key, BytesIO(picture()), "image/png"))
        await world.use_case(EditGeneration)(self.mia.id, image.id, GenerationChanges(is_public=True))
        self.image = await self.stored_image(image)
        self.comment = await world.use_case(PostComment)(self.mia.id, image.id, NewComment("Mine is better"))
        self.ids: dict[TargetType, int] = {
            IMAGE: image.id,
            STYLE: self.style.id,
            COMMENT: self.comment,
            USER: self.mia.id,
        }

    async def report(self, who: User, type: TargetType, *, text: str | None = None) -> ReportId:
        new = NewReport(type, self.ids[type], ReportReason.COPYRIGHT, text)
        return await self.world.use_case(SubmitReport)(who.id, new)

    async def stored_image(self, image: Generation | None = None) -> Generation:
        async with self.world.block() as ports:
            return await ports.generations.of_id((image or self.image).id)

    async def stored_style(self) -> Style:
        async with self.world.block() as ports:
            return await ports.styles.of_id(self.style.id)

    async def said(self) -> tuple[str, bool]:
        """The comment as others see it."""
        view = await self.world.read.community.comment(self.comment, viewer=None)
        return view.content, view.is_hidden

    async def standing(self) -> Standing:
        async with self.world.block() as ports:
            try:
                return (await ports.users.of_id(self.mia.id)).standing
            except UserNotFound:
                return (await ports.users.suspended(self.mia.id)).standing

    async def hidden(self, type: TargetType) -> bool:
        match type:
            case TargetType.GENERATION:
                return (await self.stored_image()).hidden
            case TargetType.STYLE:
                return (await self.stored_style()).closed_by_admin
            case TargetType.COMMENT:
                return (await self.said())[1]
            case TargetType.USER:
                return await self.standing() is not Standing.PRESENT

    async def reports(self, *, status: ReportStatus | None = None) -> list[ReportToResolve]:
        return (await self.world.read.reports.list(status=status, page=PageRequest())).rows

    async def notified(self, who: User) -> list[NotificationItem]:
        page, _ = await self.world.read.notifications.list(who.id, unread_only=False, page=PageRequest())
        return [item for item in page.rows if item.type in ("report_resolved", "content_reviewed")]

    async def lines(self) -> list[AuditLine]:
        return (await self.world.read.audit.list(page=PageRequest())).rows


async def unsaved(world: World, scene: Scene, who: User, type: TargetType) -> Report:
    return Report(
        await world.ids.report(),
        who.id,
        Target(type, scene.ids[type]),
        scene.mia.id,
        ReportReason.OTHER,
        None,
        world.clock.now(),
    )
