/* k-means on one block of rows: nearest centre, exact sums, potentials of k-means++, inertia, kept halves.
 *
 * Scores come from the caller's matrix product and lie centre by centre, (K, rows), so that every loop below runs
 * over rows with no reduction across lanes: any compiler turns it into vector code, and the order of operations per
 * row is the one written here. Sums are exact in double precision because the caller hands in values on a common
 * power-of-two grid, or asks for the rounding here (`big` = 1.5 * 2^52 * grid), so their order does not matter.
 * Compile without -ffast-math and with -ffp-contract=off.
 */
#include <stdint.h>

enum { CHUNK = 512, LANES = 8 };

/* Lowest score + bias of each row of one chunk, ties to the lowest centre. */
static void nearest(const float *restrict scores, const float *restrict bias, int64_t k, int64_t stride, int64_t n,
                    float *restrict low, int32_t *restrict arg)
{
    for (int64_t i = 0; i < n; i++) {
        low[i] = scores[i] + bias[0];
        arg[i] = 0;
    }
    for (int64_t j = 1; j < k; j++) {
        const float *restrict s = scores + j * stride;
        const float b = bias[j];
        const int32_t here = (int32_t)j;
        for (int64_t i = 0; i < n; i++) {
            const float v = s[i] + b, was = low[i];
            const int32_t less = -(v < was); /* a mask, for a jump around the stores would be guessed wrong */
            arg[i] = (here & less) | (arg[i] & ~less);
            low[i] = v < was ? v : was;
        }
    }
}

static void add_row(const float *restrict x, int64_t d, double sign, double *restrict sum)
{
    for (int64_t c = 0; c < d; c++)
        sum[c] += sign * (double)x[c];
}

/* Label every row of one block with its nearest centre; see isthmus_kmeans_assign. */
static int64_t assign_block(const float *scores, const float *bias, const float *x, const uint8_t *valid, int64_t k,
                            int64_t rows, int64_t d, int32_t *labels, double *sums, double *counts)
{
    float low[CHUNK];
    int32_t arg[CHUNK];
    int64_t changed = 0;
    for (int64_t start = 0; start < rows; start += CHUNK) {
        const int64_t n = rows - start < CHUNK ? rows - start : CHUNK;
        nearest(scores + start, bias, k, rows, n, low, arg);
        for (int64_t i = 0; i < n; i++) {
            const int64_t row = start + i;
            const int32_t now = valid[row] ? arg[i] : -1;
            const int32_t old = labels[row];
            if (now == old)
                continue;
            changed++;
            labels[row] = now;
            if (old >= 0) {
                add_row(x + row * d, d, -1.0, sums + old * d);
                counts[old] -= 1.0;
            }
            if (now >= 0) {
                add_row(x + row * d, d, 1.0, sums + now * d);
                counts[now] += 1.0;
            }
        }
    }
    return changed;
}

/* Label every row with its nearest centre and move rows that changed from their old sum to their new one.
 *
 * `blocks` blocks lie one behind the other: scores (blocks, k, rows), bias (k), x (blocks * rows, d),
 * valid (blocks * rows): 0 leaves the row out (label -1). labels (blocks * rows): in, the old labels (-1 for none);
 * out, the new. sums (k, d) and counts (k) are changed in place. Returns how many labels changed. */
int64_t isthmus_kmeans_assign(const float *scores, const float *bias, const float *x, const uint8_t *valid,
                              int64_t blocks, int64_t k, int64_t rows, int64_t d, int32_t *labels, double *sums,
                              double *counts)
{
    int64_t changed = 0;
    for (int64_t b = 0; b < blocks; b++)
        changed += assign_block(scores + b * k * rows, bias, x + b * rows * d, valid + b * rows, k, rows, d,
                                labels + b * rows, sums, counts);
    return changed;
}

/* Sum over rows of min(closest, squared distance), each addend rounded to the grid, for every trial centre.
 *
 * scores (trials, rows), bias (trials), norms (rows), closest (rows); out (trials) is overwritten. rows is a multiple
 * of 8. */
void isthmus_kmeans_potential(const float *restrict scores, const float *restrict bias, const float *restrict norms,
                              const float *restrict closest, int64_t trials, int64_t rows, double big,
                              double *restrict out)
{
    for (int64_t t = 0; t < trials; t++) {
        const float *restrict s = scores + t * rows;
        const float b = bias[t];
        double sum[LANES] = {0};
        for (int64_t i = 0; i < rows; i += LANES)
            for (int64_t l = 0; l < LANES; l++) {
                float v = (norms[i + l] + b) + s[i + l];
                v = v > 0.0f ? v : 0.0f;
                v = v < closest[i + l] ? v : closest[i + l];
                sum[l] += ((double)v + big) - big;
            }
        double all = 0.0;
        for (int64_t l = 0; l < LANES; l++)
            all += sum[l];
        out[t] = all;
    }
}

/* closest (rows) = min(closest, squared distance to one centre), in place. */
void isthmus_kmeans_closest(const float *restrict scores, float bias, const float *restrict norms, int64_t rows,
                            float *restrict closest)
{
    for (int64_t i = 0; i < rows; i++) {
        float v = (norms[i] + bias) + scores[i];
        v = v > 0.0f ? v : 0.0f;
        closest[i] = v < closest[i] ? v : closest[i];
    }
}

/* Sum over labelled rows of the squared distance to their centre, in double precision, each addend rounded to the
 * grid. x (rows, d), centres (k, d), labels (rows), -1 is left out. */
double isthmus_kmeans_inertia(const float *x, const double *centres, const int32_t *labels, int64_t rows, int64_t d,
                              double big)
{
    double all = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        if (labels[i] < 0)
            continue;
        const float *p = x + i * d;
        const double *c = centres + labels[i] * d;
        double sum = 0.0;
        for (int64_t j = 0; j < d; j++) {
            const double diff = (double)p[j] - c[j];
            sum += diff * diff;
        }
        all += (sum + big) - big;
    }
    return all;
}

/* Score of each row's half against its own centre without the row itself: |h - c'|^2 - |h - m|^2, rounded once.
 *
 * c' = c + (c - y) / (n - 1) is the mean of the cluster's other n - 1 rows; of a cluster of one, c. halves and rows
 * (rows, d), centres (k, d), mean m (d), counts n (k), labels (rows); out (rows), 0 where the label is -1. */
void isthmus_kmeans_own(const float *restrict halves, const float *restrict y, const double *restrict centres,
                        const double *restrict mean, const double *restrict counts, const int32_t *restrict labels,
                        int64_t rows, int64_t d, float *restrict out)
{
    for (int64_t i = 0; i < rows; i++) {
        out[i] = 0.0f;
        if (labels[i] < 0)
            continue;
        const double n = counts[labels[i]];
        const double share = n > 1.0 ? 1.0 / (n - 1.0) : 0.0;
        const double *c = centres + labels[i] * d;
        const float *h = halves + i * d, *own = y + i * d;
        double sum = 0.0;
        for (int64_t j = 0; j < d; j++) {
            const double without = c[j] + (c[j] - (double)own[j]) * share;
            sum += (mean[j] - without) * ((2.0 * (double)h[j] - mean[j]) - without);
        }
        out[i] = (float)sum;
    }
}

/* kept (k, k) += rows of cluster a whose two halves both score lower for their own centre than for centre b.
 *
 * first and second (k, rows): scores of the two halves; bias (k); one and two (rows): scores against the own centre;
 * labels (rows), -1 is left out. The diagonal is not meant to be used. */
void isthmus_kmeans_kept(const float *restrict first, const float *restrict second, const float *restrict bias,
                         const float *restrict one, const float *restrict two, const int32_t *restrict labels,
                         int64_t k, int64_t rows, int64_t *restrict kept)
{
    enum { TILE = 64 };
    for (int64_t start = 0; start < rows; start += TILE) {
        const int64_t n = rows - start < TILE ? rows - start : TILE;
        for (int64_t b = 0; b < k; b++) {
            const float *restrict f = first + b * rows + start;
            const float *restrict s = second + b * rows + start;
            uint8_t both[TILE];
            for (int64_t i = 0; i < n; i++)
                both[i] = (uint8_t)((one[start + i] < f[i] + bias[b]) & (two[start + i] < s[i] + bias[b]));
            for (int64_t i = 0; i < n; i++)
                if (labels[start + i] >= 0)
                    kept[labels[start + i] * k + b] += both[i];
        }
    }
}
