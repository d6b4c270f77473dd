"""Fresh credentials for the signature under a step: password, second factor, five tries."""

from portal.accounts import second_factor, tries
from portal.accounts.models import User
from portal.errors import Forbidden
from portal.study.acts import note_act
from portal.study.models import Study


def prove(study: Study, user: User, *, password: str, code: str = "") -> str:
    """The method of a proof that holds; after five failures signing is locked for 15 minutes."""
    tries.refuse_locked(user)
    second_factor.require(user, is_synthetic=study.is_synthetic)
    method = second_factor.proven_method(user, password=password, code=code)
    if method:
        tries.forget(user)
        return method
    is_locked = tries.count_failure(user)
    note_act(
        study, user, "signature.locked" if is_locked else "signature.failed", f"user:{user.code}"
    )
    raise Forbidden("The password or code is not right, so the step is not signed; try again.")
