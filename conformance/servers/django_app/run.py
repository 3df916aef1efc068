"""Usage: run.py PORT TOKEN"""
import os
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
port, token = sys.argv[1], sys.argv[2]
with tempfile.TemporaryDirectory(prefix="scimshim-django-") as data:
    os.environ.update(CONFORMANCE_PORT=port, CONFORMANCE_TOKEN=token, CONFORMANCE_DATA=data,
                      DJANGO_SETTINGS_MODULE="settings", PYTHONDONTWRITEBYTECODE="1")
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    import django
    django.setup()
    from django.core.management import call_command
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("runserver", f"127.0.0.1:{port}", use_reloader=False, verbosity=0, skip_checks=True)
