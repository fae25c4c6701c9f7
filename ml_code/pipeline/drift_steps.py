"""The monitoring pipeline: one job, which compares a window of live inputs. Import through ml_code.pipeline.definition."""

from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.mlops.workflow.pipeline import Pipeline

from ml_code.contracts import Argument, Parameter, Step
from ml_code.pipeline.sdk_jobs import CODE_URI, Jobs, without_warning
from ml_code.pipeline.settings import MonitorSettings, PipelineSettings

MODEL_VERSION = ParameterString(Parameter.MODEL_VERSION)
RUN_ID = ParameterString(Parameter.RUN_ID)
WINDOW_START = ParameterString(Parameter.WINDOW_START)
WINDOW_END = ParameterString(Parameter.WINDOW_END)


def assemble_monitor(settings: PipelineSettings, monitor: MonitorSettings) -> Pipeline:
    with without_warning():
        return _MonitorBuilder(settings, monitor).pipeline()


class _MonitorBuilder(Jobs):
    def __init__(self, settings: PipelineSettings, monitor: MonitorSettings) -> None:
        super().__init__(settings)
        self.monitor = monitor

    def pipeline(self) -> Pipeline:
        monitor = self.monitor
        arguments = {
            Argument.ENDPOINT_NAME: monitor.endpoint_name,
            Argument.MODEL_VERSION: MODEL_VERSION,
            Argument.RUN_ID: RUN_ID,
            Argument.CAPTURED_URI: monitor.captured_uri,
            Argument.REPORTS_URI: monitor.reports_uri,
            Argument.WINDOW_START: WINDOW_START,
            Argument.WINDOW_END: WINDOW_END,
            Argument.MINIMUM_ROWS: str(monitor.minimum_rows),
            Argument.SMALLEST_STATISTIC: str(monitor.threshold_percent / 100),
        }
        compare = self.processing_step(
            Step.COMPARE,
            module="ml_code.drift.compare_window",
            inputs={},
            outputs=(),
            arguments=[word for name, value in arguments.items() for word in (f"--{name}", value)],
            compute=self.settings.compute.evaluate,
        )
        return Pipeline(
            name=self.settings.pipeline_name,
            parameters=[CODE_URI, MODEL_VERSION, RUN_ID, WINDOW_START, WINDOW_END],
            steps=[compare],
            sagemaker_session=self.session,
            pipeline_experiment_config=None,
        )
