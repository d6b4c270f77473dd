from django.http import HttpRequest, HttpResponse

from portal.accounts.models import User
from readers.doors import program_view
from readers.worklist import desk_case


@program_view("GET", "HEAD")
def dicomweb(request: HttpRequest, reader: User, code: str, rest: str) -> HttpResponse:
    desk_case(reader, code)
    return HttpResponse(status=404)
