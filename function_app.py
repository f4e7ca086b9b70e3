"""The app the Functions host loads: every blueprint; then it warms up."""

import azure.functions as func

from functions import BLUEPRINTS
from functions.lifecycle import begin_warming

app = func.FunctionApp()
for blueprint in BLUEPRINTS:
    app.register_functions(blueprint)
begin_warming()
