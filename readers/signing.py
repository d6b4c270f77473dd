"""Fresh credentials for a signature: the password, the second factor, five tries."""

from portal.accounts import second_factor, tries
from portal.accounts.models import User
from portal.audit.trail import record
from portal.errors import Invalid
from portal.study.models import Study
from readers.design import actor_name


def prove(study: Study, user: User, *, password: str, totp: str = "") -> str:
    """The method of a proof that holds; five failures lock signing for 15 minutes, and the study is told."""
    tries.refuse_locked(user)
    second_factor.require(user, is_synthetic=study.is_synthetic)
    method = second_factor.proven_method(user, password=password, code=totp)
    if method:
        tries.forget(user)
        return method
    verb = "signature.locked" if tries.count_failure(user) else "signature.failed"
    record(verb, obj=f"user:{user.code}", study=study.code, role="reader", actor=actor_name(user))
    raise Invalid("The password or code is not right; nothing was signed.", field="password")
