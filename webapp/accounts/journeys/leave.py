"""A person takes their data along, or deletes their account."""

from typing import Any

from webapp.accounts.challenges.links import Link
from webapp.accounts.events import AccountEvent
from webapp.accounts.forms.change import ProofForm
from webapp.accounts.journeys.end_access import ways_in
from webapp.accounts.journeys.prove_again import changing
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import emails, passkeys, users
from webapp.accounts.people.phone_changes import PhoneChange
from webapp.accounts.people.sessions import Owner
from webapp.accounts.policy import password_checks
from webapp.accounts.sending import outbox
from webapp.accounts.sending.notices import Notice


async def own_data(site: Site, owner: Owner, browser: str) -> dict[str, Any]:
    """All that is stored of the person, but for secrets. docs/operate-details.md lists the fields.

    ``browser`` is the token of this browser, if it is remembered.
    """
    user = owner.user
    signed_in, remembered = await ways_in(site, owner, browser)
    return {
        "sub": user.subject,
        "name": user.name,
        "email": user.email,
        "email_confirmed_at": user.email_confirmed_at,
        "phone_number": user.phone,
        "country": user.country,
        "signed_up_at": user.created_at,
        "phone_verified_at": user.verified_at,
        "sessions": [
            {"browser": way.user_agent, "signed_in_at": way.since, "last_seen_at": way.seen}
            for way in signed_in
        ],
        "remembered_browsers": [
            {"browser": way.user_agent, "remembered_at": way.since} for way in remembered
        ],
        "passkeys": [
            {"name": key.name, "created_at": key.created_at, "last_used_at": key.last_used_at}
            for key in await passkeys.of_user(user.id)
        ],
        "has_recovery_code": user.recovery_code_hash is not None,
        "phone_changes": [
            {"phone_number": change.phone, "asked_at": change.created_at, "state": change.state}
            for change in await PhoneChange.filter(user_id=user.id)
        ],
        "links": [
            {"address": link.address, "purpose": link.purpose, "emailed_at": link.created_at}
            for link in await Link.filter(user_id=user.id)
        ],
    }


@tells_database_errors
async def delete_account(site: Site, owner: Owner, form: ProofForm) -> None:
    """Delete the account with all rows that refer to it, and tell the person. The email is free.

    Emails and webhooks that wait are not sent any more: nobody must hear of the account as it was.
    Texts are, since the phone may have other accounts. What the limits count stays for its day:
    deleting an account and making it again must not give its sends back. Raises what ``changing``
    does.
    """
    async with changing(site, owner, form.current) as change:
        user = change.user
        await outbox.emails_to(user.email).delete()
        await outbox.webhooks_about(user.subject).delete()
        await password_checks.forget(
            password_checks.key_of(emails.fold(user.email), site.secret_key)
        )
        await tell(site, user, Notice.ACCOUNT_DELETED)
        await site.events.write(AccountEvent.DELETED, user, site.clock())
        await users.delete(user)
