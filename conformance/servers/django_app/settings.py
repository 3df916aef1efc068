"""Settings of the minimal project around PyPI django-scim2 (sqlite in a temp dir)."""
import os

SECRET_KEY = "conformance-run-only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_scim", "scimapp"]
AUTH_USER_MODEL = "scimapp.User"
ROOT_URLCONF = "scimapp.glue"
APPEND_SLASH = False
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3",
                         "NAME": os.path.join(os.environ["CONFORMANCE_DATA"], "db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = ["scimapp.glue.BearerMiddleware", "django_scim.middleware.SCIMAuthCheckMiddleware"]
LOGGING = {"version": 1, "disable_existing_loggers": True}
SCIM_SERVICE_PROVIDER = {
    "NETLOC": "127.0.0.1:" + os.environ["CONFORMANCE_PORT"],
    "SCHEME": "http",
    "GROUP_MODEL": "scimapp.models.Group",
    "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "Bearer",
                                "description": "static bearer token"}],
}
