"""Static pages of a dataset repository, like a static Space on huggingface.co."""

import mimetypes

from starlette.responses import FileResponse, Response

from .large_files import pointer
from .refusal import Refusal
from .routes import Call, Routes

routes = Routes()
# Pages are strangers' work: their scripts are of no origin, reach nothing but their own files, and hold no key.
POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


@routes.at("GET HEAD", r"/pages/(?P<name>[^/]+/[^/]+)/(?P<path>.*)")
def show(call: Call, name: str, path: str):
    """Serve a file of the newest commit with its content type; for a folder, its index.html."""
    found = call.find("dataset", name)
    git, commit = call.hub.git(found), call.hub.resolve(found, "main")
    path = f"{path}index.html" if not path or path.endswith("/") else path
    blob = git.files(commit).get(path)
    if blob is None:
        raise Refusal(404, f"{name} has no page {path}", "EntryNotFound")
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    data = git.blob(blob)
    if large := pointer(data):
        file = call.hub.large(found).path(large[0])
        if not file.is_file():
            raise Refusal(404, f"The content of the large file {path} is missing", "EntryNotFound")
        return FileResponse(file, headers=headers, media_type=kind)
    return Response(data, 200, headers, kind)
