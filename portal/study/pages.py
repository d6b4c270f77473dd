"""Pages of a study: my studies, home with its steps, protocol, settings, members."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts import second_factor
from portal.accounts.models import User
from portal.accounts.tokens import refuse_token
from portal.errors import Invalid, NotFound, StudyError
from portal.fence.blind import lifted
from portal.roles import ROLE_NAMES, rule
from portal.study import forms, life, members, protocol, signing
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.listing import Columns, Filter, listing
from portal.study.models import STATE_ORDER, Membership, State, Study

GET_POST = ["GET", "HEAD", "POST"]


def page(
    request: HttpRequest,
    member: Membership,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """A page of one study, with what the navigation needs."""
    known = {"member": member, "study": member.study}
    return render(request, template, {**known, **(context or {})}, status=status)


def actor_of(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise NotFound(NO_SUCH_PAGE)
    return request.user


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form was sent, None when the page is only looked at."""
    return request.POST if request.method == "POST" else None


def may_create(user: User) -> bool:
    """Administrators, and whoever coordinates a study already."""
    return user.is_staff or Membership.objects.filter(user=user, can_coordinate=True).exists()


@rule("signed_in")
@login_required
@require_safe
def my_studies(request: HttpRequest) -> HttpResponse:
    user = actor_of(request)
    rows = Membership.objects.filter(user=user).select_related("study").order_by("study__name")
    is_reader_only = bool(rows) and all(m.can_read or m.can_draw for m in rows)
    if is_reader_only and not user.is_staff:
        return redirect("/reading/")
    context = {"memberships": rows, "may_create": may_create(user)}
    return render(request, "study/my_studies.html", context)


@rule("signed_in")
@login_required
@require_http_methods(GET_POST)
def create(request: HttpRequest) -> HttpResponse:
    user = actor_of(request)
    if not may_create(user):
        raise NotFound(NO_SUCH_PAGE)
    form = forms.NewStudyForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            with lifted():
                study = life.create_study(**form.cleaned_data, actor=user, now=timezone.now())
            return redirect("study:home", study=study.code)
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "title": "New study", "button": "Create the study"}
    return render(request, "study/form.html", context, status=422 if form.errors else 200)


@rule("administrator")
@login_required
@require_http_methods(GET_POST)
def create_account(request: HttpRequest) -> HttpResponse:
    """Administrators open accounts; what an account may do, the coordinators of a study say."""
    user = actor_of(request)
    if not user.is_staff:
        raise NotFound(NO_SUCH_PAGE)
    second_factor.require(user)
    form = forms.AccountForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            with lifted():
                made = members.create_user(**form.cleaned_data, actor=user, now=timezone.now())
            messages.success(request, f"Account {made.username} is open.")
            return redirect("study:accounts")
        except StudyError as error:
            forms.blame(form, error)
    context = {"form": form, "title": "New account", "button": "Open the account"}
    return render(request, "study/form.html", context, status=422 if form.errors else 200)


def steps(study: Study) -> list[dict[str, Any]]:
    reached = STATE_ORDER.index(study.state)
    return [
        {
            "name": state.replace("_", " ").lower(),
            "is_past": i < reached,
            "is_current": i == reached,
        }
        for i, state in enumerate(STATE_ORDER)
    ]


@member_view("coordinate", "analyse", "monitor", "read", "draw")
@require_safe
def home(request: HttpRequest, member: Membership) -> HttpResponse:
    if member.can_read or member.can_draw:
        return redirect("/reading/")
    study, to = member.study, life.next_state(member.study)
    checks = life.checklist(study) if member.can_coordinate else ()
    context = {
        "steps": steps(study),
        "checks": checks,
        "to": to,
        "is_ready": all(c.is_met for c in checks),
        "step_form": forms.StepForm(initial={"to": to}),
        "signs": to in life.MEANINGS,
        "meaning": life.MEANINGS[State(to)] if to in life.MEANINGS else "",
        "may_confirm": study.needs_second_confirmation and to == State.UNBLINDED,
    }
    return page(request, member, "study/home.html", context)


def proven_method(request: HttpRequest, study: Study, to: str) -> str:
    """Steps that carry a signature ask for the credentials afresh; how they were proven."""
    if to not in life.MEANINGS:
        return ""
    refuse_token(request, "sign")
    password, code = request.POST.get("password", ""), request.POST.get("code", "")
    return signing.prove(study, actor_of(request), password=password, code=code)


@member_view("coordinate")
@require_POST
def advance(request: HttpRequest, member: Membership) -> HttpResponse:
    form = forms.StepForm(request.POST)
    if not form.is_valid():
        raise Invalid("Say why the study takes this step.", field="reason")
    user, to = actor_of(request), form.cleaned_data["to"]
    method = proven_method(request, member.study, to)
    reason = form.cleaned_data["reason"]
    life.advance(member.study, to=to, actor=user, reason=reason, now=timezone.now(), method=method)
    messages.success(request, f"The study is now in {to}.")
    return redirect("study:home", study=member.study.code)


@member_view("coordinate", "analyse", "monitor")
@require_POST
def confirm(request: HttpRequest, member: Membership) -> HttpResponse:
    """The second signature; monitors stay blind, so the fence opens for this one write only."""
    user, to = actor_of(request), State.UNBLINDED
    method = proven_method(request, member.study, to)
    with lifted():
        life.confirm(member.study, to=to, actor=user, now=timezone.now(), method=method)
    messages.success(request, "Your confirmation is signed.")
    return redirect("study:home", study=member.study.code)


@member_view("coordinate", "analyse", "monitor")
@require_safe
def protocol_page(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    plan = forms.ProtocolForm.as_text(study.analysis_plan)
    form = forms.ProtocolForm(initial={"protocol": study.protocol, "analysis_plan": plan})
    is_open = member.can_coordinate and not study.has_reached(State.READING)
    return page(
        request, member, "study/protocol.html", {"form": form, "plan": plan, "is_open": is_open}
    )


@member_view("coordinate")
@require_POST
def save_protocol(request: HttpRequest, member: Membership) -> HttpResponse:
    form, user = forms.ProtocolForm(request.POST), actor_of(request)
    if form.is_valid():
        try:
            protocol.write_protocol(
                member.study, **form.cleaned_data, actor=user, now=timezone.now()
            )
            messages.success(request, "Protocol and analysis plan are saved.")
            return redirect("study:protocol", study=member.study.code)
        except Invalid as error:
            forms.blame(form, error)
    return page(request, member, "study/protocol.html", {"form": form, "is_open": True}, status=422)


@member_view("coordinate")
@require_http_methods(GET_POST)
def settings_page(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    names = ("name", "lesion_cap", "needs_second_confirmation")
    form = forms.SettingsForm(posted(request), initial={n: getattr(study, n) for n in names})
    if request.method == "POST" and form.is_valid():
        try:
            protocol.change_settings(
                study, **form.cleaned_data, actor=actor_of(request), now=timezone.now()
            )
            messages.success(request, "Settings are saved.")
            return redirect("study:settings", study=study.code)
        except StudyError as error:
            forms.blame(form, error)
            study.refresh_from_db()
    return page(
        request, member, "study/settings.html", {"form": form}, status=422 if form.errors else 200
    )


MEMBERS = Columns(
    headings={
        "Person": ("user__username",),
        "Role": ("role", "user__username"),
        "Since": ("since", "user__username"),
    },
    search=("user__username", "user__first_name", "user__last_name"),
    filters={"role": Filter("Role", {role: Q(role=role) for role in ROLE_NAMES})},
    default="role",
)


@member_view("coordinate", "monitor")
@require_safe
def members_page(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = Membership.objects.filter(study=member.study).select_related("user")
    context = {
        "listing": listing(request, rows, MEMBERS),
        "form": forms.MemberForm(),
        "roles": ROLE_NAMES,
    }
    return page(request, member, "study/members.html", context)


def membership_in(study: Study, pk: int) -> Membership:
    row = Membership.objects.select_related("study", "user").filter(study=study, pk=pk).first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    return row


@member_view("coordinate")
@require_POST
def add_member(request: HttpRequest, member: Membership) -> HttpResponse:
    form = forms.MemberForm(request.POST)
    if not form.is_valid():
        raise Invalid("Give the user name of an account and a role.")
    user = User.objects.filter(username=form.cleaned_data["username"], is_active=True).first()
    if user is None:
        raise Invalid("There is no open account of that name; ask an administrator to open one.")
    members.add_member(
        member.study, user, form.cleaned_data["role"], actor=actor_of(request), now=timezone.now()
    )
    messages.success(request, f"{user.printed_name} is now {form.cleaned_data['role']}.")
    return redirect("study:members", study=member.study.code)


@member_view("coordinate")
@require_POST
def change_member(request: HttpRequest, member: Membership, pk: int) -> HttpResponse:
    """A new role, or the end of the membership."""
    row, role = membership_in(member.study, pk), request.POST.get("role", "")
    if role == "remove":
        members.remove(row, actor=actor_of(request), now=timezone.now())
    else:
        members.change_role(row, role, actor=actor_of(request), now=timezone.now())
    messages.success(request, f"{row.user.printed_name}: done.")
    return redirect("study:members", study=member.study.code)
