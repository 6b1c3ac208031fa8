// Apache ECharts with nothing but what the report draws: a treemap on a canvas.
import { TreemapChart } from "echarts/charts";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([TreemapChart, CanvasRenderer]);

export { init };
