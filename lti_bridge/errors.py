"""Everything that can go wrong, each with a code, an HTTP status and a sentence for people.

    BridgeError
      ConfigurationError          the configuration file, or an activity's settings
      LaunchRefused               a click that may not become a launch
        SignatureRefused          who sent it cannot be proved
        MessageRefused            the signature is good, the content is not
        BrowserRefused            the browser does not hold the state of this login
        OpenedAlready             the message was used before
      NotAvailable                a verified launch that cannot be served now
      AccessRefused               a page or endpoint that this caller may not use
      NoticeRefused               a notice of an LMS that changes nothing
      RegistrationRefused         an LMS that could not be connected by dynamic registration
      ByHandRefused               something done by hand that is not possible now
      OutcomeRefused              a provider's grade message that changes nothing
      ServiceRefused              a tool's request to a service that changes nothing
      ProviderError               a provider answered badly, or not at all
      DeliveryError               an LMS did not take a grade
      NetworkRefused              an outgoing call that may not be made, or did not work

Codes are stable: docs/errors.md explains each, and a test keeps it complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_PERSONAL = {
    "given_name": "given name",
    "family_name": "family name",
    "middle_name": "middle name",
    "full_name": "full name",
    "email": "e-mail address",
    "username": "user name",
    "sourced_id": "student number",
    "image": "picture",
}


FITS = ""  # the remedy of a finding that is none: this check is passed


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a refused message, for whoever runs the bridge: never for whoever sent it.

    `check` names what was looked at, `configured` what the bridge has for it, `came` what the
    message had, `remedy` what to do; where that is FITS, this is no reason for the refusal. No
    secret, no token, no name and no address of a learner; each text is short. The reasons come
    first.
    """

    check: str
    configured: str
    came: str
    remedy: str

    @property
    def fits(self) -> bool:
        """Whether this check is passed."""
        return self.remedy == FITS


class BridgeError(Exception):
    """Base of every failure the bridge names.

    `code`, `status`, `sentence` and `remedy` are for people and scripts and hold no secret and
    nothing about a learner. The exception's own text (`detail`) is for the log and the admin; it
    never reaches a student's page, except as `hint`: what a page adds for whoever can mend it.
    `said` is as much of it as whoever sent the request may read: which part of it is wrong, and
    why. `retry` tells whether the same thing may work later, `tells_lms` whether the way back
    brings the sentence to the LMS, which may stop there: a test's own terms are no error.
    `explain` finds out why, where that takes work: it is called after the answer, if at all, and
    nothing of it is for the answer. It is bounded in work, calls nobody and changes nothing.
    """

    code = "internal"
    status = 500
    sentence = "Something went wrong on our side."
    remedy = "Please try again in a few minutes. If it happens again, tell your teacher."
    retry = False
    tells_lms = True
    explain: Callable[[], Sequence[Finding]] | None = None

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.sentence)
        self.detail = detail
        self.said = ""

    @property
    def hint(self) -> str:
        """More for the page, for those who teach or look after the LMS; may be empty."""
        return ""


class ConfigurationError(BridgeError):
    """The configuration cannot be used; the text names file, key and reason."""

    code = "configuration"
    sentence = "The configuration cannot be used."
    remedy = "Correct what the message names and start again."


class Sender(NamedTuple):
    """Who sent a message that was verified, and the way back to them; that may be empty."""

    registration: str
    return_url: str


class LaunchRefused(BridgeError):
    """A click that may not become a launch. `sender` is known once the signature was good."""

    code = "launch-refused"
    status = 400
    sentence = "Your course sent us a link that we cannot open."
    remedy = "Go back to your course and open the link again."
    sender: Sender | None = None


class SignatureRefused(LaunchRefused):
    """Unknown key, wrong signature, old timestamp or repeated nonce: deliberately one answer.

    `said` is filled only where the sender has proved who it is, or where the reason is about
    the form of the request alone: nobody can try out keys and secrets with it.
    """

    code = "signature"
    status = 401
    sentence = "We could not verify that this link comes from your course."
    remedy = (
        "Go back to your course and open the link again. If it happens again, your LMS "
        "administrator should check the key, the secret and the clock of the LMS."
    )

    def __init__(self, detail: str = "", *, said: str = "") -> None:
        super().__init__(detail)
        self.said = said


class MessageRefused(LaunchRefused):
    """The sender is verified but the message breaks the LTI specification."""

    code = "message"
    status = 400
    sentence = "Your course sent an incomplete or unsupported message."
    remedy = "Tell your teacher or LMS administrator, and give them the reference below."

    @property
    def hint(self) -> str:
        """What the message of a verified sender lacks; it names members, never what is in them."""
        return f"For the administrator of the LMS: {self.detail}." if self.sender else ""


class BrowserRefused(LaunchRefused):
    """The login state is missing, used, expired or belongs to another browser."""

    code = "browser-state"
    status = 401
    sentence = "This link was already used, has expired, or was opened in another browser."
    remedy = (
        "Go back to your course and open the link again. If that does not help, allow cookies for"
        " this site."
    )


class OpenedAlready(LaunchRefused):
    """A good message that was used before, and not just now in this browser."""

    code = "opened-already"
    status = 401
    sentence = "This click has been opened already."
    remedy = (
        "You may have clicked twice: look whether the test is open in another tab or window. "
        "If not, go back to your course and open the link again."
    )


class UnknownIssuer(LaunchRefused):
    """A login from an LMS that is not registered, or that is ambiguous."""

    code = "unknown-lms"
    status = 400
    sentence = "This LMS is not connected here."
    remedy = "The LMS administrator has to register this tool first."


class LmsAmbiguous(UnknownIssuer):
    """A login that several registrations may have meant."""

    code = "lms-ambiguous"
    status = 400
    sentence = (
        "Several LMSs are connected here under one name, and this link may be of any of them."
    )
    remedy = (
        "The LMS administrator has to let the login say its client id and its deployment id, or "
        "give one of the LMSs another issuer or client id."
    )


class LmsWaiting(UnknownIssuer):
    """A login from an LMS that registered itself and was not approved yet."""

    code = "lms-waiting"
    status = 403
    sentence = "This LMS has registered here and waits for approval."
    remedy = "Ask the people who run this bridge to approve it, then open the link again."

    def __init__(self, name: str) -> None:
        super().__init__(f"the registration {name!r} waits for approval")
        self.name = name

    @property
    def hint(self) -> str:
        """The command that lets it in."""
        return f"For the administrator of the bridge: lti-bridge registrations approve {self.name}"


class UnknownDeployment(LaunchRefused):
    """A verified launch from a deployment that the registration does not list."""

    code = "unknown-deployment"
    status = 403
    sentence = "This placement of the tool is not approved yet."
    remedy = "The LMS administrator has to add this deployment to the registration."


class LoginFailed(LaunchRefused):
    """The LMS answered the login with an error instead of a launch."""

    code = "login-failed"
    status = 401
    sentence = "Your LMS did not confirm who you are."
    remedy = "Log in to your course again, then open the link again."


class LoginExpired(LoginFailed):
    """The LMS answered that its half of the launch was used already or is too old."""

    code = "launch-expired"
    status = 401
    sentence = "This link was opened already, or it took too long."
    remedy = "Go back to your course and open the link again."


class ToolRequestRefused(LaunchRefused):
    """An LTI 1.3 tool sent the browser with a request that nothing may be answered to."""

    code = "tool-request"
    status = 400
    sentence = "The test provider sent you here with a request that we cannot answer."
    remedy = (
        "Go back to your course and open the link again. If it happens again, give your teacher "
        "the reference below."
    )


class ToolAnswerRefused(BridgeError):
    """What a provider's tool sent back after an instructor was to choose there.

    `said` is the detail, unless the tool has not proved who it is.
    """

    code = "tool-answer"
    status = 400
    sentence = "What you chose at the test provider could not be taken over."
    remedy = "Go back to your course and choose again. If it happens again, tell the administrator."

    def __init__(self, detail: str = "", *, said: str | None = None) -> None:
        super().__init__(detail)
        self.said = detail if said is None else said


class ToolMetadataRefused(BridgeError):
    """What a tool that registers itself says about itself; the text says what is wrong."""

    code = "tool-metadata"
    status = 400
    sentence = "The tool's registration is incomplete or not allowed."
    remedy = "The tool's log has the reason; ask its provider."


class NotAvailable(BridgeError):
    """A verified launch that cannot be served now.

    `said` is a sentence for the page about what this person has so far; it is never logged.
    """

    code = "not-available"
    status = 409
    sentence = "This test is not available right now."
    remedy = "Please contact your teacher."
    said = ""

    def saying(self, said: str) -> NotAvailable:
        """The same error with this sentence."""
        self.said = said
        return self


class NotConfigured(NotAvailable):
    """The link names no activity that the bridge knows."""

    code = "not-configured"
    status = 404
    sentence = "This link is not ready yet: no test has been chosen for it."
    remedy = "Please tell your teacher."


class NotChosen(NotConfigured):
    """The same, for staff whose roles do not let them choose."""

    code = "not-chosen"
    status = 404
    sentence = "No test has been chosen for this link yet, and your role may not choose one."
    remedy = (
        "An instructor, course designer, manager or administrator of the course chooses it by"
        " opening this link; the role of an assistant alone is not enough."
    )

    def __init__(self, detail: str, roles: str) -> None:
        super().__init__(detail)
        self.roles = roles

    @property
    def hint(self) -> str:
        """Which roles the LMS sent."""
        return f"Your LMS sent these roles for you: {self.roles}."


class LinkSettingsRefused(NotConfigured):
    """A link that writes its activity out, in a way that does not fit the connection."""

    code = "link-settings"
    status = 404
    sentence = "This link's settings do not fit, so its test cannot be opened."
    remedy = "Please tell your teacher, and give them the reference below."


class AnonymousRefused(LaunchRefused):
    """A launch without a user id."""

    code = "anonymous"
    status = 403
    sentence = "Your course did not say who you are, so the test cannot be graded."
    remedy = "Log in to your course, then open the link again."


class PlaceUnclear(NotAvailable):
    """A launch without a course, by somebody who has attempts at such a link in several."""

    code = "place-unclear"
    status = 409
    sentence = "Your LMS did not say which of your courses this link is in."
    remedy = "Nothing was started. Open the link from within your course, or tell your teacher."


class NoPersonalData(NotAvailable):
    """The provider needs a name or an e-mail address that the LMS did not send."""

    code = "no-personal-data"
    status = 409
    sentence = "The test needs your name and e-mail address, and your LMS did not send them."
    remedy = (
        "Your LMS administrator can allow this tool to receive names and e-mail addresses "
        "in the tool's privacy settings."
    )

    def __init__(
        self, detail: str = "", missing: Sequence[str] = (), *, whole: bool = False
    ) -> None:
        super().__init__(detail)
        named = [_PERSONAL.get(name, name) for name in missing]
        if not named:
            return
        told = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
        it = "them" if len(named) > 1 else "it"
        self.sentence = f"The test needs your {told}, and your LMS did not send {it}."
        if whole and {"given_name", "family_name"} >= {*missing}:
            self.sentence = (
                f"The test needs your {told}, and your LMS sent your name in one text only, or a"
                " part of it."
            )
            self.remedy = (
                "Your LMS administrator can let the LMS send both parts of a name, or whoever runs"
                ' this service can let it split names (the connection\'s setting "names").'
            )


class AttemptUnclear(NotAvailable):
    """A paid call got no answer, so nobody knows yet whether the test exists."""

    code = "attempt-unclear"
    status = 409
    sentence = "We did not hear back when your test was being prepared."
    remedy = "Your teacher has to look at it first. Please do not open the link again and again."


class StartUnclear(AttemptUnclear):
    """A call got no answer, and repeating it gives the same test and costs nothing more."""

    code = "start-unclear"
    status = 409
    sentence = "We did not hear back when your test was being prepared."
    remedy = "Please wait a minute, then open the link in your course again."
    retry = True


class CandidateTaken(NotAvailable):
    """The provider knows another learner by this address: no test of theirs may be opened."""

    code = "candidate-taken"
    status = 409
    sentence = "The test provider knows somebody else by your e-mail address."
    remedy = "Please tell your teacher, and give them the reference below."


class TestTaken(NotAvailable):
    """The provider gave a test that is another learner's."""

    code = "test-taken"
    status = 409
    sentence = "The test provider gave us a test that belongs to somebody else."
    remedy = "Please tell your teacher, and give them the reference below."


class TakeFirst(NotAvailable):
    """What this link does is about a test that the learner has not finished: `title` names it."""

    code = "take-first"
    status = 409
    sentence = "This needs another test, which you have not finished yet."
    tells_lms = False
    remedy = "Open that test in your course and finish it, then open this link again."

    def __init__(self, detail: str = "", title: str = "") -> None:
        super().__init__(detail)
        if title:
            self.sentence = f"This needs the test “{title}”, which you have not finished yet."


class NoAttemptsLeft(NotAvailable):
    """The activity's limit of attempts is reached."""

    code = "no-attempts-left"
    status = 403
    sentence = "You have used all your attempts at this test."
    tells_lms = False
    remedy = "If you think this is wrong, contact your teacher."


class DailyLimitReached(NotAvailable):
    """The LMS has bought as many attempts at this connection today as it may."""

    code = "daily-limit"
    status = 403
    sentence = "No further test can be started here today."
    remedy = "Tell your teacher, who can ask the administrator to allow more tests a day."


class NotOpen(NotAvailable):
    """Before the activity opens or after it closed."""

    code = "not-open"
    status = 403
    sentence = "This test is not open at the moment."
    tells_lms = False
    remedy = "Ask your teacher when it can be taken."


class TooSoon(NotAvailable):
    """The days that must lie between two attempts have not passed."""

    code = "too-soon"
    status = 403
    sentence = "It is too early for your next attempt at this test."
    tells_lms = False
    remedy = "Ask your teacher when you may take it again."


class AccessRefused(BridgeError):
    """A page or endpoint that this caller may not use."""

    code = "access-refused"
    status = 403
    sentence = "You may not open this page."
    remedy = "Go back to your course and open the link again."


class StaffOnly(AccessRefused):
    """Somebody who may not set up tests asks for the pages that do."""

    code = "staff-only"
    status = 403
    sentence = "Only the teachers of a course can set up its tests."
    remedy = "Go back to your course. If you teach it, ask your LMS administrator about your role."


class PageExpired(AccessRefused):
    """A page of the bridge whose launch is over."""

    code = "page-expired"
    status = 403
    sentence = "This page has expired."
    remedy = "Go back to your course and open the link again."


class AdminsOnly(AccessRefused):
    """Nobody is signed in to the pages for admins: one answer for whatever is wrong."""

    code = "admins-only"
    status = 403
    sentence = "This page is for the administrators of this service."
    remedy = (
        "Run lti-bridge admin link where the bridge runs, and open the link that it prints within"
        " ten minutes. A link is good once, in one browser, for eight hours."
    )
    tells_lms = False


class InvitationRefused(AccessRefused):
    """No invitation, or one that is unknown, used, expired or for something else: one answer."""

    code = "invitation"
    status = 403
    sentence = "This invitation to connect an LMS is not valid, was used, or has expired."
    remedy = "Ask the people who run this bridge for a new invitation."


class NoticeRefused(BridgeError):
    """A notice that an LMS sent by itself, and that is not one the bridge asked for."""

    code = "notice"
    status = 400
    sentence = "This is no notice that the bridge can act on."
    remedy = "Nothing was changed. The log names, under the reference, what is wrong with it."


class RegistrationRefused(BridgeError):
    """An LMS's answers to a dynamic registration that cannot become a registration."""

    code = "registration"
    status = 400
    sentence = "Your LMS could not be connected."
    remedy = (
        "Put right what is named below, or tell it to the people who run this bridge; then "
        "register again with the same address."
    )

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.said = detail  # whoever reads it holds the invitation


class RegistrationChangeRefused(BridgeError):
    """A change of a registration that is not possible; the text says why."""

    code = "registration-change"
    status = 409
    sentence = "The registration cannot be changed like that."
    remedy = "See lti-bridge registrations list."


class NotFound(BridgeError):
    """No such page."""

    code = "not-found"
    status = 404
    sentence = "There is nothing at this address."
    remedy = "Go back to your course and open the link from there."


class MethodNotAllowed(BridgeError):
    """The address exists, but not for this HTTP method."""

    code = "method-not-allowed"
    status = 405
    sentence = "This address cannot be opened like that."
    remedy = "Go back to your course and open the link from there."


class TooLarge(BridgeError):
    """A request body above the limit."""

    code = "too-large"
    status = 413
    sentence = "The request is too large."
    remedy = "Go back to your course and open the link again."


class BadRequest(BridgeError):
    """A request that cannot be read."""

    code = "bad-request"
    status = 400
    sentence = "The request could not be read."
    remedy = "Go back to your course and open the link again."


class OpenedOutsideLms(BadRequest):
    """An invitation's address that a person opened, instead of giving it to their LMS."""

    code = "outside-lms"
    sentence = "This address connects an LMS; it does nothing in a browser."
    remedy = "Paste it where your LMS registers tools by address. It is not used up by this visit."


class ByHandRefused(BridgeError):
    """Something that a person wants done by hand, which is not possible as things are."""

    code = "by-hand"
    status = 409
    sentence = "This cannot be done as things are."
    remedy = "Look at the attempt again, and decide anew."


class OutcomeRefused(BridgeError):
    """A provider's grade message whose sender is known but which changes nothing."""

    code = "outcome-refused"
    status = 200
    sentence = "The grade message was refused."
    remedy = "The provider should send it again with the values of the launch."


class ServiceRefused(BridgeError):
    """A request of an LTI 1.3 tool to one of the platform's services, which changes nothing."""

    code = "service-refused"
    status = 400
    sentence = "The request of the test provider was refused."
    remedy = "The test provider has to correct the request."


class TokenRequestRefused(ServiceRefused):
    """A request for an access token; `oauth` is the error of RFC 6749 section 5.2.

    `said` is what the tool may know: nothing that is true of one client and not of another,
    before the client has proved who it is.
    """

    code = "token-request"
    status = 400
    sentence = "The test provider was given no access token."
    remedy = "The test provider has to correct its request, its key or its client id."

    def __init__(self, oauth: str, detail: str, said: str = "") -> None:
        super().__init__(detail)
        self.oauth = oauth
        self.said = said or detail


class TooManyTokens(ServiceRefused):
    """A tool that asks for new access tokens faster than it can use them."""

    code = "too-many-tokens"
    status = 429
    sentence = "The test provider asks for too many access tokens."
    remedy = "The test provider should keep a token for as long as it lasts."
    retry = True


class TokenMissing(ServiceRefused):
    """A request to a service without an access token."""

    code = "token-missing"
    status = 401
    sentence = "The test provider sent no access token."
    remedy = "The test provider has to ask for an access token first."


class TokenRefused(ServiceRefused):
    """An access token that is not ours, is expired, or whose connection is gone."""

    code = "token-refused"
    status = 401
    sentence = "The access token of the test provider is not valid."
    remedy = "The test provider has to ask for a new access token."


class ScopeRefused(ServiceRefused):
    """An access token that does not allow what it is used for."""

    code = "scope-refused"
    status = 403
    sentence = "The access token of the test provider does not allow this."
    remedy = "The test provider has to ask for a token of the right scope, if it may have it."


class NotAcceptable(ServiceRefused):
    """A request for an answer of a type that the service does not have."""

    code = "not-acceptable"
    status = 406
    sentence = "The answer does not exist in the form that the test provider wants."
    remedy = "The test provider has to accept the media type of the service."


class MediaTypeRefused(ServiceRefused):
    """A request whose body is of another type than the service takes."""

    code = "media-type"
    status = 415
    sentence = "The test provider sent a body of the wrong media type."
    remedy = "The test provider has to send the media type of the service."


class LineItemKept(ServiceRefused):
    """The deletion of a line item that belongs to a course link, not to the tool."""

    code = "line-item-kept"
    status = 403
    sentence = "This line item belongs to a link in the course and cannot be deleted."
    remedy = "The test provider may only delete line items that it made itself."


class ScoreRefused(ServiceRefused):
    """A score that is well-formed but cannot count as things are."""

    code = "score-refused"
    status = 403
    sentence = "The score cannot be taken."
    remedy = "The course has to list the learner as active, or the learner has to open the link."


class StaleScore(ServiceRefused):
    """A score that is not newer than the one that is there (AGS section 3.4.9)."""

    code = "stale-score"
    status = 409
    sentence = "A newer score is already there."
    remedy = "The test provider has to send its newest score, with a newer timestamp."


class ProviderError(BridgeError):
    """A provider answered badly, or not at all."""

    code = "provider"
    status = 502
    sentence = "The test provider did not answer as expected."
    remedy = "Please try again in a few minutes. If it happens again, tell your teacher."
    retry = True


class ProviderDown(ProviderError):
    """The provider did certainly not carry out what was asked: it could not be reached."""

    code = "provider-down"
    status = 503
    sentence = "The test provider cannot be reached at the moment."


class ProviderBusy(ProviderError):
    """As many calls as allowed are under way at this connection."""

    pause_s: float | None = None
    code = "provider-busy"
    status = 503
    sentence = "Many people are opening this test right now."
    remedy = "Please wait a minute, then open the link again."


class OutOfStock(ProviderError):
    """The account has no credits, test ids or seats left."""

    code = "out-of-stock"
    status = 503
    sentence = "There are no tests left for your course at the moment."
    remedy = "Please tell your teacher: the school has to buy more."
    retry = False


class ProviderRefused(ProviderError):
    """The provider does not accept this account, test or setting."""

    code = "provider-refused"
    status = 503
    sentence = "The test provider does not accept how this test is set up."
    remedy = "Please tell your teacher, and give them the reference below."
    retry = False


class CandidateRefused(ProviderError):
    """The provider does not accept what it was told about the learner."""

    code = "candidate-refused"
    status = 409
    sentence = "The test provider does not accept your details."
    remedy = "Please tell your teacher, and give them the reference below."
    retry = False


class OtherPerson(ProviderError):
    """A provider's answer that names another person or another test than was asked about."""

    code = "other-person"
    status = 502
    sentence = "The test provider answered about somebody else."
    remedy = "Please tell your teacher, and give them the reference below."
    retry = False


class Unsupported(ProviderError):
    """A capability that this kind of provider does not have."""

    code = "unsupported"
    status = 400
    sentence = "The test provider cannot do this."
    remedy = "Choose another way, or another provider."
    retry = False


class DeliveryError(BridgeError):
    """An LMS did not take a grade."""

    code = "delivery"
    status = 502
    sentence = "The grade could not be brought to the LMS."
    remedy = "The bridge tries again by itself."


class DeliveryFailed(DeliveryError):
    """Not taken now; the same grade is sent again later."""

    code = "delivery-failed"
    retry = True


class MembersComing(DeliveryFailed):
    """The list of a course's members is being read from its LMS, which takes its time."""

    code = "members-coming"
    status = 503
    sentence = "The list of members is being read from the LMS."
    remedy = "Ask again in a few seconds."


class DeliveryConflict(DeliveryFailed):
    """The LMS holds a later grade in this cell; sent again at once, with a later time."""

    code = "delivery-conflict"


class LmsAway(DeliveryFailed):
    """The LMS cannot be reached, or says that it is not there now: no grade can come to it.

    Not `sent`: it has got nothing, so it cannot carry anything out later.
    """

    code = "lms-away"

    def __init__(self, detail: str = "", *, sent: bool = True) -> None:
        super().__init__(detail)
        self.sent = sent


class LmsBusy(DeliveryFailed):
    """The LMS says that too many requests come; `pause_s` are the seconds that it asks for."""

    code = "lms-busy"

    def __init__(self, detail: str = "", pause_s: float | None = None) -> None:
        super().__init__(detail)
        self.pause_s = pause_s


class DeliveryHeld(DeliveryFailed):
    """Not sent yet: another worker is busy with what this delivery needs first."""

    code = "delivery-held"


class DeliveryRefused(DeliveryError):
    """Refused for good: sending it again unchanged cannot work."""

    code = "delivery-refused"
    sentence = "The LMS refused the grade."
    remedy = "A person has to look at the reason, then resend it."


class NetworkRefused(BridgeError):
    """An outgoing call to an address that may not be called."""

    code = "network-refused"
    status = 502
    sentence = "An address that may not be called was configured or received."
    remedy = "Use a public https address, or list the host under allow_private."


class NetworkFailed(BridgeError):
    """An outgoing call that got no usable answer."""

    code = "network-failed"
    status = 502
    sentence = "Another system could not be reached."
    remedy = "Please try again in a few minutes."
    retry = True


class AnswerLost(NetworkFailed):
    """The request was sent but no usable answer came: it may have been carried out.

    `silent`: none at all, so that nobody knows whether the other system is there.
    """

    code = "answer-lost"
    sentence = "Another system did not answer in time."

    def __init__(self, detail: str = "", *, silent: bool = False) -> None:
        super().__init__(detail)
        self.silent = silent
