/* What the operators of a graph do, in C99: one image, float32, channels x height x width. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 4 /* outputs of a tile of the matrix product; the weights are packed in such blocks */
#ifndef COLUMNS /* places of a tile: what the registers of a processor hold beside each other */
#if defined(__AVX512F__)
#define COLUMNS 32
#elif defined(__AVX__) || defined(__aarch64__)
#define COLUMNS 16
#else
#define COLUMNS 8
#endif
#endif

#if defined(__GNUC__)
#define MAYBE_UNUSED __attribute__((unused))
#else
#define MAYBE_UNUSED
#endif

typedef struct {
    int inputs, height, width, outputs, out_height, out_width;
    int kernel_height, kernel_width, stride_y, stride_x, top, left, dilation_y, dilation_x;
    float low, high;
} convolution;

/* Four rows of weights by a panel of columns, `depth` long. */
static inline void product(const float *restrict weights, const float *restrict panel, int depth,
                           float sums[ROWS][COLUMNS]) {
    float first[COLUMNS] = {0}, second[COLUMNS] = {0}, third[COLUMNS] = {0}, fourth[COLUMNS] = {0};
    for (int at = 0; at < depth; at++, weights += ROWS, panel += COLUMNS) {
        for (int j = 0; j < COLUMNS; j++) first[j] += weights[0] * panel[j];
        for (int j = 0; j < COLUMNS; j++) second[j] += weights[1] * panel[j];
        for (int j = 0; j < COLUMNS; j++) third[j] += weights[2] * panel[j];
        for (int j = 0; j < COLUMNS; j++) fourth[j] += weights[3] * panel[j];
    }
    memcpy(sums[0], first, sizeof first);
    memcpy(sums[1], second, sizeof second);
    memcpy(sums[2], third, sizeof third);
    memcpy(sums[3], fourth, sizeof fourth);
}

/* What the kernel sees at `COLUMNS` places from `begin` on: inputs x kernel rows of a panel. */
static void gather(const convolution *c, const float *restrict image, int begin, int count, float *restrict panel) {
    const int plane = c->height * c->width;
    if (c->kernel_height * c->kernel_width == 1 && c->stride_y * c->stride_x == 1 && c->top + c->left == 0 &&
        count == COLUMNS) {
        for (int i = 0; i < c->inputs; i++) memcpy(panel + i * COLUMNS, image + i * plane + begin, sizeof(float) * COLUMNS);
        return;
    }
    int y[COLUMNS], x[COLUMNS];
    for (int j = 0; j < COLUMNS; j++) {
        const int place = begin + (j < count ? j : 0);
        y[j] = place / c->out_width * c->stride_y - c->top;
        x[j] = place % c->out_width * c->stride_x - c->left;
    }
    for (int i = 0; i < c->inputs; i++)
        for (int ky = 0; ky < c->kernel_height; ky++)
            for (int kx = 0; kx < c->kernel_width; kx++, panel += COLUMNS)
                for (int j = 0; j < COLUMNS; j++) {
                    const int row = y[j] + ky * c->dilation_y, column = x[j] + kx * c->dilation_x;
                    const int inside = row >= 0 && row < c->height && column >= 0 && column < c->width;
                    panel[j] = inside ? image[i * plane + row * c->width + column] : 0.0f;
                }
}

static inline float between(float value, float low, float high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* A convolution of one group; where `lowest`, only the lowest of all outputs is kept at each place. */
static void MAYBE_UNUSED convolve(const convolution *c, const float *image, const float *weights, const float *bias,
                                  int lowest, float *panel, float *out) {
    const int places = c->out_height * c->out_width, depth = c->inputs * c->kernel_height * c->kernel_width;
    float sums[ROWS][COLUMNS];
    for (int begin = 0; begin < places; begin += COLUMNS) {
        const int count = places - begin < COLUMNS ? places - begin : COLUMNS;
        gather(c, image, begin, count, panel);
        for (int output = 0; output < c->outputs; output += ROWS) {
            product(weights + (size_t)output * depth, panel, depth, sums);
            for (int row = 0; row < ROWS && output + row < c->outputs; row++) {
                const float added = bias[output + row];
                float *to = lowest ? out + begin : out + (size_t)(output + row) * places + begin;
                if (lowest && output + row)
                    for (int j = 0; j < count; j++) to[j] = sums[row][j] + added < to[j] ? sums[row][j] + added : to[j];
                else
                    for (int j = 0; j < count; j++) to[j] = between(sums[row][j] + added, c->low, c->high);
            }
        }
    }
}

/* Where a kernel column lies inside of the image: outputs from `first` up to `last`. */
static inline void inside(int outputs, int stride, int shift, int side, int *first, int *last) {
    *first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    *last = side - 1 - shift < 0 ? 0 : (side - 1 - shift) / stride + 1;
    if (*last > outputs) *last = outputs;
}

/* A convolution in which every channel has a kernel of its own. */
static void MAYBE_UNUSED convolve_depthwise(const convolution *c, const float *image, const float *weights,
                                            const float *bias, float *out) {
    for (int channel = 0; channel < c->outputs; channel++) {
        const float *plane = image + (size_t)channel * c->height * c->width;
        for (int row = 0; row < c->out_height; row++, out += c->out_width) {
            float *restrict to = out;
            for (int j = 0; j < c->out_width; j++) to[j] = bias[channel];
            for (int ky = 0; ky < c->kernel_height; ky++) {
                const int y = row * c->stride_y - c->top + ky * c->dilation_y;
                if (y < 0 || y >= c->height) continue;
                for (int kx = 0; kx < c->kernel_width; kx++) {
                    const float weight = weights[(channel * c->kernel_height + ky) * c->kernel_width + kx];
                    const int shift = kx * c->dilation_x - c->left;
                    int first, last;
                    inside(c->out_width, c->stride_x, shift, c->width, &first, &last);
                    const float *restrict from = plane + (size_t)y * c->width + shift;
                    if (c->stride_x == 1)
                        for (int j = first; j < last; j++) to[j] += weight * from[j];
                    else
                        for (int j = first; j < last; j++) to[j] += weight * from[j * c->stride_x];
                }
            }
            for (int j = 0; j < c->out_width; j++) to[j] = between(to[j], c->low, c->high);
        }
    }
}

/* Mean or largest value under a window; what lies outside is left out, or counted as zero in a mean. */
static void MAYBE_UNUSED pool(const convolution *c, int largest, int counts_outside, const float *image, float *out) {
    for (int channel = 0; channel < c->outputs; channel++, image += c->height * c->width)
        for (int row = 0; row < c->out_height; row++)
            for (int column = 0; column < c->out_width; column++) {
                float sum = largest ? -INFINITY : 0.0f;
                int count = 0;
                for (int ky = 0; ky < c->kernel_height; ky++)
                    for (int kx = 0; kx < c->kernel_width; kx++) {
                        const int y = row * c->stride_y - c->top + ky, x = column * c->stride_x - c->left + kx;
                        if (y < 0 || y >= c->height || x < 0 || x >= c->width) continue;
                        const float value = image[y * c->width + x];
                        sum = largest ? (value > sum ? value : sum) : sum + value;
                        count++;
                    }
                *out++ = largest ? sum : sum / (float)(counts_outside ? c->kernel_height * c->kernel_width : count);
            }
}

/* Along one axis: each of `to` outputs is a weighted sum of `taps` inputs. */
static void MAYBE_UNUSED resample(const float *image, int outer, int from, int inner, int to, int taps,
                                  const float *places, const float *weights, float *out) {
    for (int block = 0; block < outer; block++, image += (size_t)from * inner)
        for (int row = 0; row < to; row++, out += inner) {
            for (int j = 0; j < inner; j++) out[j] = 0.0f;
            for (int tap = 0; tap < taps; tap++) {
                const float weight = weights[row * taps + tap];
                const float *given = image + (size_t)places[row * taps + tap] * inner;
                for (int j = 0; j < inner; j++) out[j] += weight * given[j];
            }
        }
}

/* A product of matrices, rows x depth by depth x columns. */
static void MAYBE_UNUSED multiply(const float *left, const float *right, int rows, int depth, int columns, float *out) {
    for (int row = 0; row < rows; row++, left += depth, out += columns) {
        for (int j = 0; j < columns; j++) out[j] = 0.0f;
        for (int at = 0; at < depth; at++)
            for (int j = 0; j < columns; j++) out[j] += left[at] * right[(size_t)at * columns + j];
    }
}

/* The `count` largest (or, by sign -1, smallest) of `side` values, in order, and where they stood. */
static void MAYBE_UNUSED top(const float *values, int outer, int side, int count, float sign, float *found,
                             float *places) {
    for (int block = 0; block < outer; block++, values += side, found += count, places += count) {
        int held = 0;
        for (int i = 0; i < side; i++) {
            int at = held < count ? held++ : count;
            for (; at > 0 && sign * values[i] > sign * found[at - 1]; at--)
                if (at < count) found[at] = found[at - 1], places[at] = places[at - 1];
            if (at < count) found[at] = values[i], places[at] = (float)i;
        }
    }
}
