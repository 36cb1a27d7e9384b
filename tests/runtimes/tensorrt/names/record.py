"""Records which of the names that sttk uses a TensorRT's Python bindings have.

    python record.py MODULE > FILE.json

The bindings are packages of their own (``pip download --no-deps tensorrt-cu13-bindings==10.16.*``,
unzipped; the module is ``tensorrt_bindings``) and import without the library itself, against
shared objects that hold nothing but the functions they are linked to, each returning 0:

    createInferBuilder_INTERNAL createInferRefitter_INTERNAL createInferRuntime_INTERNAL
    createNvOnnxParser_INTERNAL createNvOnnxParserRefitter_INTERNAL getBuilderPluginRegistry
    getNvOnnxParserVersion getPluginRegistry initLibNvInferPlugins

compiled once each as ``libnvinfer.so.N``, ``libnvinfer_plugin.so.N`` and ``libnvonnxparser.so.N``
(``gcc -shared -fPIC -Wl,-soname,...``; N is 10 or 11), on ``LD_LIBRARY_PATH``.
TensorRT for RTX is installed whole: the module is ``tensorrt_rtx``.

Recorded are 10.16.1.11, 11.4.0.106 and, for RTX, 1.7.1.116.
"""

from __future__ import annotations

import importlib
import json
import sys

# What sttk uses; of enums and configs, too, what must be gone from 11 on, so that a record says so.
WANTED = {
    "Builder": "build_serialized_network create_builder_config create_network "
    "create_optimization_profile",
    "BuilderFlag": "FP16 INT8 OBEY_PRECISION_CONSTRAINTS TF32",
    "ComputeCapability": "CURRENT NONE SM75 SM80 SM86 SM89 SM90 SM120 SM121",
    "DataType": "FLOAT HALF",
    "EngineInvalidityDiagnostics": "CUDA_ERROR INSUFFICIENT_GPU_MEMORY MALFORMED_ENGINE "
    "OLD_CUDA_DRIVER OLD_CUDA_RUNTIME UNSUPPORTED_CC VERSION_MISMATCH",
    "EngineValidity": "INVALID SUBOPTIMAL VALID",
    "IBuilderConfig": "add_optimization_profile clear_flag int8_calibrator "
    "num_compute_capabilities profiling_verbosity set_compute_capability",
    "ICudaEngine": "create_execution_context get_tensor_dtype get_tensor_mode get_tensor_name "
    "get_tensor_profile_shape get_tensor_shape num_io_tensors",
    "IExecutionContext": "execute_async_v3 get_tensor_shape set_input_shape set_tensor_address",
    "ILogger": "ERROR INTERNAL_ERROR WARNING log",
    "INetworkDefinition": "get_input",
    "IOptimizationProfile": "set_shape",
    "ITensor": "name",
    "NetworkDefinitionCreationFlag": "EXPLICIT_BATCH STRONGLY_TYPED",
    "OnnxParser": "get_error num_errors parse_from_file",
    "ParserError": "desc node_name node_operator",
    "ProfilingVerbosity": "DETAILED",
    "Runtime": "deserialize_cuda_engine get_engine_validity",
    "TensorIOMode": "INPUT OUTPUT",
}


def record(module):
    """Of each class the names that it has; of each enum their numbers, too."""
    found = {}
    for name, attributes in WANTED.items():
        thing = getattr(module, name, None)
        present = [one for one in attributes.split() if hasattr(thing, one)]
        members = getattr(thing, "__members__", None)
        if thing is not None:
            found[name] = {one: int(members[one]) for one in present} if members else present
    return {"version": module.__version__, "names": found}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(record(importlib.import_module(sys.argv[1])), indent=1) + "\n")
