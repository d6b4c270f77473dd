"""What a blind request may write: the reading room, its session, and the trail."""

WRITABLE = frozenset(
    {
        "readers_assignment",
        "readers_draftsave",
        "readers_read",
        "readers_readevent",
        "readers_readingsession",
        "readers_roi",
        "accounts_user",
        "accounts_apitoken",
        "django_session",
        "mfa_authenticator",
        "web_cache",
    }
)
INSERT_ONLY = frozenset({"audit_auditevent", "audit_auditpayload", "audit_signature"})
# recovery codes are deleted when their owner makes new ones
DELETABLE = frozenset({"django_session", "web_cache", "mfa_authenticator"})
PAYLOADS = "audit_auditpayload"
