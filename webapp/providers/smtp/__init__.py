"""SMTP: our emails, through any mail server that takes them from us."""

from webapp.providers.smtp.mailer import Dial, SmtpMailer

__all__ = ["Dial", "SmtpMailer"]
