// Vectors of 16 numbers, as GCC and Clang know them for every processor.
#pragma once
#include <stdint.h>

typedef float V16 __attribute__((vector_size(64)));
typedef int32_t V16i __attribute__((vector_size(64)));
typedef uint32_t V16u __attribute__((vector_size(64)));
typedef uint16_t V16u16 __attribute__((vector_size(32)));
typedef int8_t V16i8 __attribute__((vector_size(16)));
