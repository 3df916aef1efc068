"""Bearer check and URLs of the django-scim2 project."""
import os

from django.contrib.auth.models import AnonymousUser
from django.urls import include, path

TOKEN = os.environ["CONFORMANCE_TOKEN"]
urlpatterns = [path("scim/v2/", include("django_scim.urls", namespace="scim"))]


class _Client:
    is_authenticated = True
    is_anonymous = False
    is_active = True


class BearerMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        ok = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        request.user = _Client() if ok else AnonymousUser()
        return self.get_response(request)
