"""What the four dashboards are made of, as Grafana exports it: panels, targets, variables, the frame around them."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
CELL = 'account_id=~"$account",aws_region=~"$region"'
SCOPE = CELL + ',model_id=~"$model",route=~"$route"'
# CloudWatch's minutes come late and several at once (metrics.detail): rates of them are taken over no less than this.
CLOUDWATCH = "10m"

PLUGIN_VERSION = "11.6.0"
GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "text"
# One colour for one thing, on every dashboard.
COLOURS = {
    "confirmed": RED, "probable": ORANGE, "estimated": YELLOW, "lower bound": GREY, "upper bound": GREY,
    "billed": RED, "not_billed": GREEN, "no_record": GREY, "expected": YELLOW,
}


def target(expr, legend="", instant=False, ref="A"):
    """One query. Tables and single numbers ask for the end of the time range only."""
    return {
        "datasource": DATASOURCE, "editorMode": "code", "expr": expr, "instant": instant, "legendFormat": legend or "__auto",
        "range": not instant, "refId": ref,
    }


def table_target(expr, ref):
    return {**target(expr, instant=True, ref=ref), "format": "table"}


def thresholds(*steps):
    """`(from, colour)` from the lowest on; the first has no lower end."""
    return {"mode": "absolute", "steps": [{"color": colour, "value": value} for value, colour in steps]}


BAD_ABOVE_ZERO = thresholds((None, GREEN), (0.000001, RED))
NEUTRAL = thresholds((None, BLUE))


def _panel(kind, title, description, targets, unit, defaults, options, overrides=(), interval=None, decimals=None):
    for number, query in enumerate(targets):
        query["refId"] = chr(ord("A") + number)
    defaults = {"mappings": [], "unit": unit, **defaults}
    if decimals is not None:
        defaults["decimals"] = decimals
    panel = {
        "datasource": DATASOURCE, "description": description, "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options, "pluginVersion": PLUGIN_VERSION, "targets": targets, "title": title, "type": kind,
    }
    return {**panel, "interval": interval} if interval else panel


def stat(title, description, expr, unit="short", steps=NEUTRAL, interval=None, decimals=None, mappings=(), text="auto", legend=""):
    defaults = {"color": {"mode": "thresholds"}, "thresholds": steps, "noValue": "–"}
    options = {
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "showPercentChange": False, "textMode": text,
        "wideLayout": True,
    }
    panel = _panel("stat", title, description, [target(expr, legend, instant=True)], unit, defaults, options, interval=interval, decimals=decimals)
    panel["fieldConfig"]["defaults"]["mappings"] = list(mappings)
    return panel


def series(title, description, targets, unit="short", stack=False, bars=False, interval=None, fill=None, overrides=(), legend="table", decimals=None, calcs=("max", "lastNotNull")):
    """A time series; `targets` are `(expression, legend)`."""
    custom = {
        "axisBorderShow": False, "axisCenteredZero": False, "axisColorMode": "text", "axisLabel": "", "axisPlacement": "auto",
        "barAlignment": 0, "barWidthFactor": 0.6, "drawStyle": "bars" if bars else "line",
        "fillOpacity": fill if fill is not None else (70 if bars else 25 if stack else 8), "gradientMode": "none",
        "hideFrom": {"legend": False, "tooltip": False, "viz": False}, "insertNulls": False, "lineInterpolation": "linear",
        "lineWidth": 1 if bars or stack else 2, "pointSize": 5, "scaleDistribution": {"type": "linear"}, "showPoints": "never",
        "spanNulls": 600000, "stacking": {"group": "A", "mode": "normal" if stack else "none"}, "thresholdsStyle": {"mode": "off"},
    }
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom, "min": 0, "thresholds": thresholds((None, GREEN))}
    options = {
        "legend": {"calcs": list(calcs), "displayMode": legend, "placement": "bottom" if legend == "list" else "right", "showLegend": True},
        "tooltip": {"hideZeros": True, "mode": "multi", "sort": "desc"},
    }
    if legend == "list":
        options["legend"]["calcs"] = []
    queries = [target(expr, name) for expr, name in targets]
    return _panel("timeseries", title, description, queries, unit, defaults, options, [*coloured(), *overrides], interval, decimals)


def coloured():
    """The overrides that give a name its colour."""
    return [by_name(name, {"id": "color", "value": {"fixedColor": colour, "mode": "fixed"}}) for name, colour in COLOURS.items()]


def by_name(name, *properties):
    return {"matcher": {"id": "byName", "options": name}, "properties": list(properties)}


def dashed(name):
    """A line that is a limit, not a measurement."""
    style = {"id": "custom.lineStyle", "value": {"dash": [8, 8], "fill": "dash"}}
    return by_name(name, style, {"id": "custom.fillOpacity", "value": 0}, {"id": "custom.stacking", "value": {"group": "A", "mode": "none"}})


def bars(title, description, expr, legend, unit="short", steps=NEUTRAL, decimals=None, interval=None):
    """Names with a bar each, largest first."""
    defaults = {"color": {"mode": "thresholds"}, "min": 0, "thresholds": steps, "noValue": "none"}
    options = {
        "displayMode": "basic", "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False}, "maxVizHeight": 300,
        "minVizHeight": 16, "minVizWidth": 8, "namePlacement": "left", "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "showUnfilled": True, "sizing": "auto", "valueMode": "color",
    }
    return _panel("bargauge", title, description, [target(expr, legend, instant=True)], unit, defaults, options, interval=interval, decimals=decimals)


def timeline(title, description, targets, mappings):
    """States over time; `mappings` are `(value, text, colour)`."""
    custom = {"axisPlacement": "auto", "fillOpacity": 80, "hideFrom": {"legend": False, "tooltip": False, "viz": False}, "lineWidth": 0}
    defaults = {"color": {"mode": "thresholds"}, "custom": custom, "thresholds": thresholds((None, GREEN))}
    options = {
        "alignValue": "left", "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}, "mergeValues": True,
        "rowHeight": 0.85, "showValue": "never", "tooltip": {"hideZeros": False, "mode": "single", "sort": "none"},
    }
    panel = _panel("state-timeline", title, description, [target(expr, name) for expr, name in targets], "short", defaults, options)
    values = {str(value): {"color": colour, "index": index, "text": text} for index, (value, text, colour) in enumerate(mappings)}
    panel["fieldConfig"]["defaults"]["mappings"] = [{"options": values, "type": "value"}]
    return panel


def table(title, description, columns, labels, sort_by, interval=None):
    """One row for each set of labels; `columns` are `(name, expression, unit)`, `labels` are `(label, name)`."""
    queries = [table_target(expr, chr(ord("A") + number)) for number, (_, expr, _) in enumerate(columns)]
    defaults = {
        "color": {"mode": "thresholds"},
        "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        "thresholds": thresholds((None, GREEN)),
        "noValue": "–",
    }
    # With a single query Grafana names its column Value, with several each after its letter.
    value = "Value" if len(columns) == 1 else "Value #{}"
    renamed = {value.format(chr(ord("A") + number)): name for number, (name, _, _) in enumerate(columns)} | dict(labels)
    decimals = lambda unit: 2 if unit == "currencyUSD" else 0
    overrides = [by_name(name, {"id": "unit", "value": unit}, {"id": "decimals", "value": decimals(unit)}) for name, _, unit in columns]
    options = {"cellHeight": "sm", "showHeader": True, "sortBy": [{"desc": True, "displayName": sort_by}]}
    panel = _panel("table", title, description, queries, "short", defaults, options, overrides, interval)
    order = [label for label, _ in labels] + [name for name in renamed if name.startswith("Value")]
    organize = {"excludeByName": {"Time": True}, "includeByName": {}, "indexByName": {name: index for index, name in enumerate(order)}, "renameByName": renamed}
    panel["transformations"] = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    return panel


def dashboard(name, title, description, rows):
    """`rows` are `(title, height, [(width, panel), …])`; a row fills the 24 columns as often as it needs."""
    panels, y = [], 0
    for row_title, height, sized in rows:
        panels.append({"collapsed": False, "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}, "id": len(panels) + 1, "panels": [], "title": row_title, "type": "row"})
        y, x = y + 1, 0
        for width, panel in sized:
            if x + width > 24:
                x, y = 0, y + height
            panels.append({**panel, "gridPos": {"h": height, "w": width, "x": x, "y": y}, "id": len(panels) + 1})
            x += width
        y += height
    return {
        "annotations": {"list": [_built_in(), _alerts()]},
        "description": description, "editable": False, "fiscalYearStartMonth": 0, "graphTooltip": 1, "id": None,
        "links": [_links()], "liveNow": False, "panels": panels, "refresh": "1m", "schemaVersion": 39, "tags": ["faultline", "bedrock", "aws"],
        "templating": {"list": _variables()}, "time": {"from": "now-6h", "to": "now"}, "timepicker": {}, "timezone": "browser",
        "title": f"Faultline / {title}", "uid": f"faultline-{name}", "version": 1, "weekStart": "",
    }


def _built_in():
    return {
        "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
    }


def _alerts():
    return {
        "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": RED, "name": "Alerts",
        "target": {
            "expr": 'ALERTS{alertstate="firing",alertname=~"(Bedrock|Faultline).+",severity=~"critical|warning"}',
            "interval": "60s", "refId": "Anno",
        },
        "tagKeys": "severity,account_id,aws_region", "textFormat": "{{model_id}} {{source}}", "titleFormat": "{{alertname}}",
    }


def _links():
    return {
        "asDropdown": False, "icon": "external link", "includeVars": True, "keepTime": True, "tags": ["faultline"], "targetBlank": False,
        "title": "Faultline", "tooltip": "The other dashboards, with the same choice", "type": "dashboards", "url": "",
    }


def _variables():
    source = {
        "current": {"selected": False, "text": "default", "value": "default"}, "hide": 0, "includeAll": False, "label": "Data source", "multi": False, "name": "datasource", "options": [],
        "query": "prometheus", "refresh": 1, "regex": "", "skipUrlSync": False, "type": "datasource",
    }

    def labels(name, label, of, text):
        query = f"label_values({of}, {label})"
        return {
            "allValue": ".+", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "datasource": DATASOURCE,
            "hide": 0, "includeAll": True, "label": text, "multi": True, "name": name, "options": [],
            "query": {"query": query, "refId": "StandardVariableQuery"}, "refresh": 2, "regex": "", "skipUrlSync": False, "sort": 1, "type": "query",
        }

    scopes = f"bedrock_billed_failed_invocations{{{CELL}}}"
    return [
        source,
        labels("account", "account_id", "faultline_source_up", "Account"),
        labels("region", "aws_region", 'faultline_source_up{account_id=~"$account"}', "Region"),
        labels("model", "model_id", scopes, "Model"),
        labels("route", "route", f'bedrock_billed_failed_invocations{{{CELL},model_id=~"$model"}}', "Route"),
    ]
