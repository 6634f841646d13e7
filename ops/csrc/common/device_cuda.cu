// What the library holds for the devices that are there.

#include <cuda_runtime.h>

namespace {

__global__ void nothing() {}

}  // namespace

// Whether the library has code for a device, its own or such that the driver can translate. _library.py calls this. Also
// true where the device can't be asked: the error of the call that follows then says why.
extern "C" __attribute__((visibility("default"))) int bev_ops_has_code(int device) {
  int before = 0;
  cudaError_t error = cudaGetDevice(&before);
  if (error == cudaSuccess) error = cudaSetDevice(device);
  if (error == cudaSuccess) {
    cudaFuncAttributes attributes;
    error = cudaFuncGetAttributes(&attributes, nothing);
    cudaSetDevice(before);
  }
  cudaGetLastError();  // the next call would report it
  return error != cudaErrorNoKernelImageForDevice && error != cudaErrorInvalidDeviceFunction;
}
