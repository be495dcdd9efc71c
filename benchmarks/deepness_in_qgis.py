"""Map an image by the plugin Deepness without its window; run by QGIS's own Python.

Arguments: the folder that holds the plugin's package `deepness`, an ONNX file, an image, and a file
.npy for the class map (H, W), whose classes the plugin counts from 1. Prints what the plugin says,
and last the seconds of its processing loop, by the clock and of the processors.
"""

import os
import sys
import time
from unittest.mock import MagicMock

os.environ["QT_QPA_PLATFORM"] = "offscreen"
sys.path.insert(0, sys.argv[1])

import numpy as np
from qgis.core import (  # type: ignore[import-not-found]
    QgsApplication,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtWidgets import QMessageBox  # type: ignore[import-not-found]


def complain(_parent, _title, message):
    sys.exit(message)


def main():
    model, image, out = sys.argv[2:]
    application = QgsApplication([], True)
    application.initQgis()
    # Faked: QGIS's window, the map in it, which is asked for its visible part alone, and a box that
    # would wait for a click.
    QMessageBox.critical = complain
    layer = QgsRasterLayer(image, "image")
    QgsProject.instance().addMapLayer(layer)

    from deepness.deepness_dockwidget import (  # type: ignore[import-not-found]
        DeepnessDockWidget,
    )
    from deepness.processing.map_processor.map_processor_segmentation import (  # type: ignore[import-not-found]
        MapProcessorSegmentation,
    )

    dock = DeepnessDockWidget(MagicMock())
    dock.mMapLayerComboBox_inputLayer.setLayer(layer)
    dock.lineEdit_modelPath.setText(model)
    dock.pushButton_reloadModel.click()
    dock.pushButton_loadDefaultModelParameters.click()
    dock.comboBox_processedAreaSelection.setCurrentText("Entire layer")
    processor = MapProcessorSegmentation(
        rlayer=layer,
        vlayer_mask=None,
        map_canvas=MagicMock(),
        params=dock.get_inference_parameters(),
    )
    started, worked = time.perf_counter(), time.process_time()
    processor.run()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    np.save(out, processor.get_result_img()[0])
    print(dock.label_modelInfo.text())
    print(processor._processing_result.message)
    print(seconds, cpu_seconds, flush=True)
    os._exit(0)  # QGIS crashes where its objects are deleted in another order


main()
