"""Open maps in QGIS and print what it makes of them, as JSON; run by QGIS's own Python.

Arguments: a PNG to render into, then the files of the layers, the lowest last.
"""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (  # type: ignore[import-not-found]
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize  # type: ignore[import-not-found]
from qgis.PyQt.QtGui import QColor  # type: ignore[import-not-found]

BACKGROUND = "#ff00ff"


def layer_of(file):
    if file.endswith(".gpkg"):
        return QgsVectorLayer(file, "polygons", "ogr")
    return QgsRasterLayer(file, "raster")


def legend_of(layer):
    if isinstance(layer, QgsRasterLayer):
        return [[name, colour.name()] for name, colour in layer.renderer().legendSymbologyItems()]
    return [[item.label(), item.symbol().color().name()] for item in layer.renderer().categories()]


def render(layers, file):
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[0].crs())
    settings.setExtent(layers[0].extent())
    extent = layers[0].extent()
    settings.setOutputSize(QSize(400, round(400 * extent.height() / extent.width())))
    settings.setBackgroundColor(QColor(BACKGROUND))
    settings.setFlag(QgsMapSettings.Antialiasing, False)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(file)


def main():
    application = QgsApplication([], False)
    application.initQgis()
    layers = [layer_of(file) for file in sys.argv[2:]]
    found = []
    for layer in layers:
        extent = layer.extent()
        found.append(
            {
                "valid": layer.isValid(),
                "crs": layer.crs().authid(),
                "extent": [
                    extent.xMinimum(),
                    extent.yMinimum(),
                    extent.xMaximum(),
                    extent.yMaximum(),
                ],
                "legend": legend_of(layer) if layer.isValid() else [],
            }
        )
    render(layers, sys.argv[1])
    print(json.dumps(found), flush=True)
    # Without clearing up: QGIS crashes where its layers are deleted after it.
    os._exit(0)


main()
