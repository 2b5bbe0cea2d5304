// engines/devices/kernels.cu as a program of the processor: the threads of a launch one after the other.
#include <cmath>

#define __device__
#define __global__
#define __forceinline__ inline

struct Index {
    unsigned int x, y, z;
};

static thread_local Index threadIdx, blockIdx, blockDim, gridDim;

#include KERNELS

extern "C" void launch(void (*kernel)(const Operation*), const Operation* op, const unsigned int* grid,
                       const unsigned int* block) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], 1};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++)
                for (threadIdx.y = 0; threadIdx.y < block[1]; threadIdx.y++)
                    for (threadIdx.x = 0; threadIdx.x < block[0]; threadIdx.x++) kernel(op);
}
