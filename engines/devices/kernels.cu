// The operations of a device on grey images, in the arithmetic of OpenCV as engines/devices/cpu.py calls it: the same grey
// levels but for the rounding of a last bit. Compiled with --fmad=false: a fused multiply-add rounds once where the CPU
// rounds twice.
//
// Every kernel takes one record of its arguments, in device memory: a captured graph launches the same kernels again, and
// the records say on what. One thread makes one pixel; nothing is shared between threads, so that a plain loop over them is
// the same program (tests/property/engines/shim.h).

typedef unsigned char Level;

struct Operation {
    unsigned long long source;   // address of an image, rows adjacent
    unsigned long long target;   // address of an image or of patches
    unsigned long long corners;  // gather: address of the patches' first points, float x, y each
    int source_w, source_h;      // px
    int target_w, target_h;      // px; of one patch
    int first, second;           // halve: levels; pad: left, top; gather: oversampling, whether cut without a map
    float map[6];                // source_from_target, two rows of three; gather uses the upper left four
};

static_assert(sizeof(Operation) == 72, "engines/devices/operation.py packs it so");

// Linear interpolation of OpenCV's resize: weights of 11 bits.
#define WEIGHT_ONE 2048

static __device__ __forceinline__ int clamp(int value, int last) {
    return value < 0 ? 0 : (value > last ? last : value);
}

static __device__ __forceinline__ int level_at(const Operation& op, int x, int y) {
    const Level* pixels = (const Level*)op.source;
    return pixels[(long long)clamp(y, op.source_h - 1) * op.source_w + clamp(x, op.source_w - 1)];
}

static __device__ __forceinline__ void put(const Operation& op, int x, int y, int level) {
    ((Level*)op.target)[(long long)y * op.target_w + x] = (Level)level;
}

static __device__ __forceinline__ bool is_outside(const Operation& op, int x, int y) {
    return x >= op.target_w || y >= op.target_h;
}

static __device__ __forceinline__ int mean_of_four(int a, int b, int c, int d) {
    return (a + b + c + d + 2) >> 2;
}

// A pixel of the image halved LEVELS times by area, each time rounded.
template <int LEVELS>
struct Halved {
    static __device__ __forceinline__ int at(const Operation& op, int x, int y) {
        return mean_of_four(
            Halved<LEVELS - 1>::at(op, 2 * x, 2 * y), Halved<LEVELS - 1>::at(op, 2 * x + 1, 2 * y),
            Halved<LEVELS - 1>::at(op, 2 * x, 2 * y + 1), Halved<LEVELS - 1>::at(op, 2 * x + 1, 2 * y + 1));
    }
};

template <>
struct Halved<0> {
    static __device__ __forceinline__ int at(const Operation& op, int x, int y) {
        return level_at(op, x, y);
    }
};

#define PIXEL                                        \
    const int x = blockIdx.x * blockDim.x + threadIdx.x; \
    const int y = blockIdx.y * blockDim.y + threadIdx.y; \
    if (is_outside(*op, x, y)) return;

// Halve by area 1 to 3 times. The source's sides are multiples of the reduction, or (one level) odd: then the edge repeats.
extern "C" __global__ void halve(const Operation* op) {
    PIXEL
    int level;
    if (op->first == 1) {
        level = Halved<1>::at(*op, x, y);
    } else if (op->first == 2) {
        level = Halved<2>::at(*op, x, y);
    } else {
        level = Halved<3>::at(*op, x, y);
    }
    put(*op, x, y, level);
}

// Where a target pixel lies in the source: the pixel before it and how far it is beyond, of one.
static __device__ __forceinline__ float place(int target, int source_size, int target_size, int* before) {
    const double scale = (double)source_size / (double)target_size;
    const float at = (float)((target + 0.5) * scale - 0.5);
    const float floor_at = floorf(at);
    *before = (int)floor_at;
    return at - floor_at;
}

// cv2.resize with INTER_LINEAR: across in 11 bits, down in 11 bits of which 4 are dropped before, and 2 bits at the end.
extern "C" __global__ void linear(const Operation* op) {
    PIXEL
    int left, top;
    float across = place(x, op->source_w, op->target_w, &left);
    const float down = place(y, op->source_h, op->target_h, &top);
    if (left < 0 || left >= op->source_w - 1) {  // across, the edge counts in full; down, both weights meet one row
        left = clamp(left, op->source_w - 1);
        across = 0.0f;
    }
    const int right_weight = (int)rintf(across * WEIGHT_ONE), left_weight = (int)rintf((1.0f - across) * WEIGHT_ONE);
    const int lower_weight = (int)rintf(down * WEIGHT_ONE), upper_weight = (int)rintf((1.0f - down) * WEIGHT_ONE);
    const int upper = level_at(*op, left, top) * left_weight + level_at(*op, left + 1, top) * right_weight;
    const int lower = level_at(*op, left, top + 1) * left_weight + level_at(*op, left + 1, top + 1) * right_weight;
    put(*op, x, y, (((upper_weight * (upper >> 4)) >> 16) + ((lower_weight * (lower >> 4)) >> 16) + 2) >> 2);
}

// cv2.copyMakeBorder with BORDER_REPLICATE; with nothing to add, a copy.
extern "C" __global__ void pad(const Operation* op) {
    PIXEL
    put(*op, x, y, level_at(*op, x - op->first, y - op->second));
}

// cv2.warpAffine with INTER_LINEAR and BORDER_REPLICATE: single precision, rounded once.
static __device__ __forceinline__ int interpolated(const Operation& op, float x, float y) {
    const float far = 1.0e9f;  // beyond any image, and within an int
    x = fminf(fmaxf(x, -far), far);
    y = fminf(fmaxf(y, -far), far);
    const float left = floorf(x), top = floorf(y);
    const float across = x - left, down = y - top;
    const int column = (int)left, row = (int)top;
    const float upper_left = (float)level_at(op, column, row), upper_right = (float)level_at(op, column + 1, row);
    const float lower_left = (float)level_at(op, column, row + 1), lower_right = (float)level_at(op, column + 1, row + 1);
    const float upper = upper_left + across * (upper_right - upper_left);
    const float lower = lower_left + across * (lower_right - lower_left);
    return (int)rintf(upper + down * (lower - upper));
}

extern "C" __global__ void warp(const Operation* op) {
    PIXEL
    const float* map = op->map;
    const float from_x = map[0] * x + (map[1] * y + map[2]);
    const float from_y = map[3] * x + (map[4] * y + map[5]);
    put(*op, x, y, interpolated(*op, from_x, from_y));
}

// cv2.getRectSubPix to single precision: not rounded before the mean over a patch px is.
static __device__ __forceinline__ float cut(const Operation& op, float x, float y, int column, int row) {
    const float left = floorf(x), top = floorf(y);
    const float across = x - left, down = y - top;
    column += (int)left;
    row += (int)top;
    const float upper = level_at(op, column, row) * (1.0f - across) + level_at(op, column + 1, row) * across;
    const float lower = level_at(op, column, row + 1) * (1.0f - across) + level_at(op, column + 1, row + 1) * across;
    return upper * (1.0f - down) + lower * down;
}

// Square patches about their first points, of which blockIdx.z counts; each patch px is the mean of first x first px.
extern "C" __global__ void gather(const Operation* op) {
    PIXEL
    const float* corner = (const float*)op->corners + 2 * blockIdx.z;
    const int fine = op->first;
    const float share = 1.0f / (float)(fine * fine);
    int sum = 0;
    float exact = 0.0f;
    for (int row = y * fine; row < (y + 1) * fine; row++) {
        for (int column = x * fine; column < (x + 1) * fine; column++) {
            if (op->second) {
                exact += cut(*op, corner[0], corner[1], column, row);
            } else {
                const float from_x = op->map[0] * column + (op->map[1] * row + corner[0]);
                const float from_y = op->map[3] * column + (op->map[4] * row + corner[1]);
                sum += interpolated(*op, from_x, from_y);
            }
        }
    }
    int level = sum;
    if (op->second) {
        level = clamp((int)rintf(exact * share), 255);
    } else if (fine == 2) {
        level = (sum + 2) >> 2;
    } else if (fine > 2) {
        level = (int)rintf((float)sum * share);
    }
    Level* patch = (Level*)op->target + (long long)blockIdx.z * op->target_w * op->target_h;
    patch[(long long)y * op->target_w + x] = (Level)level;
}
