"""What a blind request may write: the reading room, its session, and the trail."""

WRITABLE = frozenset(
    {
        "readers_assignment",
        "readers_draftsave",
        "readers_read",
        "readers_readevent",
        "readers_readingsession",
        "readers_roi",
        "audit_signature",
        "accounts_user",
        "django_session",
        "mfa_authenticator",
        "web_cache",
    }
)
INSERT_ONLY = frozenset({"audit_auditevent", "audit_auditpayload"})
DELETABLE = frozenset({"django_session", "web_cache"})
PAYLOADS = "audit_auditpayload"
