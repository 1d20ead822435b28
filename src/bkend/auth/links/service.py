"""All that links do, for one environment."""

from __future__ import annotations

from bkend.auth.links.invitations import Invitations
from bkend.auth.links.magic import MagicLinks
from bkend.auth.links.mailing import LinkMails
from bkend.auth.links.organizations import Organizations
from bkend.auth.links.resets import PasswordResets
from bkend.auth.links.verification import Verification
from bkend.auth.parts import AuthParts, SecondFactor


class Links:
    """The services of one environment's links, on the same parts."""

    def __init__(self, parts: AuthParts, second_factor: SecondFactor) -> None:
        mails = LinkMails(parts)
        self._store = parts.store
        self._tokens = mails.tokens
        self.settings = parts.settings
        self.magic = MagicLinks(parts, mails, second_factor)
        self.resets = PasswordResets(parts, mails)
        self.verification = Verification(parts, mails)
        self.invitations = Invitations(parts)
        self.organizations = Organizations(parts)

    async def sweep(self) -> None:
        """Remove tokens that ran out long ago."""
        await self._store.commit([self._tokens.drop_expired()])
