"""What the pretend LMS knows about itself: settings, links, and the people in its one course."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class LinkSpec:
    """One activity of the course that launches the bridge.

    `grades` says which grade services its launches offer; AGS exists for LTI 1.3 only.
    "container" is AGS where the tool has to make its column itself, and is never told it again.
    `storage` is the frame in which the LMS keeps data for tools without cookies: "_parent" is the
    page around the tool, "lti_storage" a frame beside it; "" keeps nothing. `url` is where the
    launch leads to, if not to the tool's own address.
    `course` is the id of the course that it was copied into; "" is the first one.
    """

    id: str
    title: str
    lti: Literal["1.1", "1.3"]
    custom: dict[str, str] = field(default_factory=dict)
    description: str = ""
    grades: Literal["both", "ags", "bo", "container", "none"] = "both"
    storage: Literal["", "_parent", "lti_storage"] = ""
    course: str = ""
    url: str = ""

    @property
    def offers_bo(self) -> bool:
        """Whether a launch carries a sourcedid and the outcome service."""
        return self.grades in ("both", "bo")

    @property
    def offers_ags(self) -> bool:
        """Whether a launch carries the grade service claim."""
        return self.lti == "1.3" and self.grades in ("both", "ags", "container")


# A place for grades, personal data, the list of members, and its own way to the tool's key set.
SERVICES = ("grades", "names", "members", "keys")


@dataclass(frozen=True)
class Elsewhere:
    """A page outside the LMS that somebody who tries everything out needs besides."""

    title: str
    url: str
    description: str


@dataclass(frozen=True)
class LmsSettings:
    """The trust between this LMS and the one bridge it launches.

    Links with the same title stand together on the course page. `elsewhere` is shown below them.
    `launch_url`, `login_url`, `jwks_url` and `redirect_uris` are those of the tool, where it is no
    bridge, or has registered itself. `family` is whose habits it has (families/), `crowd` how many
    students there are besides those with names. `notices` offers the Platform Notification
    Service, and says how a notice about a copied course names the old one: Canvas lists ids, others
    write objects. `scopes` are those that the tool has registered with, which alone it gets;
    none: all. `lacks` are those of
    SERVICES that its people have not switched on for this tool.
    """

    bridge_url: str
    links: tuple[LinkSpec, ...]
    consumer_key: str = "sandbox"
    shared_secret: str = "sandbox-secret-äöü&x"  # noqa: S105 - a pretend secret
    client_id: str = "sandbox-client"
    deployment_id: str = "1"
    course_id: str = "101"
    course_title: str = "Digital Skills"
    name: str = "Sandbox LMS"
    elsewhere: tuple[Elsewhere, ...] = ()
    launch_url: str = ""
    login_url: str = ""
    jwks_url: str = ""
    redirect_uris: tuple[str, ...] = ()  # besides launch_url
    family: str = "plain"
    issuer: str = ""  # what it calls itself, where that is not its address
    crowd: int = 0
    notices: Literal["", "ids", "objects"] = ""
    scopes: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class User:
    """A pretend person; ids are small decimal strings as an LMS database gives them."""

    id: str
    username: str
    given: str
    family: str
    teacher: bool = False

    @property
    def name(self) -> str:
        """Full display name."""
        return f"{self.given} {self.family}"

    @property
    def email(self) -> str:
        """An address that can never receive mail."""
        return f"{self.username}@example.invalid"

    @property
    def role(self) -> str:
        """The short LIS context role."""
        return "Instructor" if self.teacher else "Learner"


_FIRST_OF_CROWD = 1000
USERS = (
    User("2", "teacher", "Tess", "Teacher", teacher=True),
    User("4", "student1", "Ann", "Example"),
    User("5", "student2", "Ben", "Example"),
    User("6", "student3", "Zoë", "Exämple"),
)


def find_user(key: str, crowd: int = 0) -> User | None:
    """A person by id or by login name; a crowd has so many more."""
    for user in USERS:
        if key in (user.id, user.username):
            return user
    number = key.removeprefix("crowd")
    if not number.isdecimal():
        return None
    place = int(number) - (0 if number != key else _FIRST_OF_CROWD)
    return crowd_member(place) if 0 <= place < crowd else None


def crowd_member(number: int) -> User:
    """One of the many students that have no name of their own."""
    return User(str(_FIRST_OF_CROWD + number), f"crowd{number}", "Student", f"No. {number}")
