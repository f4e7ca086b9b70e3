"""Apps that no worker loads, each with one fault; the key names it."""

BROKEN = {
    "import error": "import there_is_no_such_module\n",
    "loop already running": "import asyncio\nasyncio.run(asyncio.sleep(0))\n",
    "no app": "import azure.functions as func\n",
    "two names": "import azure.functions as func\napp = func.FunctionApp()\napplication = app\n",
    "type only name": (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
        "import azure.functions as func\nif TYPE_CHECKING:\n    from decimal import Decimal\n"
        "app = func.FunctionApp()\n@app.route(route='x')\n"
        "async def x(req: Decimal) -> func.HttpResponse: ...\n"
    ),
    "wrong annotation": (
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\n"
        "async def x(req: int) -> func.HttpResponse: ...\n"
    ),
    "union annotation": (
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\n"
        "async def x(req: func.HttpRequest | None) -> func.HttpResponse: ...\n"
    ),
    "wrong return": (
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\n"
        "async def x(req: func.HttpRequest) -> None: ...\n"
    ),
    "other parameter": (
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\n"
        "async def x(request: func.HttpRequest) -> func.HttpResponse: ...\n"
    ),
    "wrong context": (
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\n"
        "async def x(req: func.HttpRequest, context: int) -> func.HttpResponse: ...\n"
    ),
    "same name twice": (
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route(route='x')\n"
        "async def x(req: func.HttpRequest) -> func.HttpResponse: ...\n@app.route(route='y')\n"
        "async def x(req: func.HttpRequest) -> func.HttpResponse: ...\n"
    ),
}
