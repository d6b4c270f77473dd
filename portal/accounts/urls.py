"""Addresses of a person's own account."""

from django.urls import path

from portal.accounts import own_pages

app_name = "own"
urlpatterns = [
    path("account/", own_pages.account, name="account"),
    path("account/tokens/", own_pages.issue_token, name="issue_token"),
    path("account/tokens/<int:token>/revoke/", own_pages.revoke_token, name="revoke_token"),
    path("account/sign-out-everywhere/", own_pages.sign_out_everywhere, name="everywhere"),
]
