/* K-mer profiles of one sequence: integer counts of canonical k-mers, then features in a fixed order of float steps. */
#include <string.h>
#include "scan.h"

typedef uint16_t u16x32 __attribute__((vector_size(64)));
typedef float f32x16 __attribute__((vector_size(64)));

enum { CHUNK = 1024, LONG_RUN = 640 };

/* Indices of the k-mers that start at s[0 .. m-1], m a multiple of 32. (letter >> 1) & 3 is 0 1 2 3 for A C T/U G in
   either case. */
static inline __attribute__((always_inline)) void index_kmers(const uint8_t *s, int64_t m, uint16_t *out, const int k) {
    for (int64_t i = 0; i < m; i += 32)
        for (int lane = 0; lane < 32; lane++) {
            uint16_t v = 0;
            for (int j = 0; j < k; j++) v = (uint16_t)((v << 2) | ((s[i + lane + j] >> 1) & 3));
            out[i + lane] = v;
        }
}

static inline __attribute__((always_inline)) void count_direct(const uint8_t *s, int64_t n, uint32_t *table, const int k) {
    uint16_t index[CHUNK];
    uint8_t piece[CHUNK + 64];  /* a copy that may be read beyond its end */
    for (int64_t left = n - k + 1; left > 0; left -= CHUNK, s += CHUNK) {
        const int64_t m = left < CHUNK ? left : CHUNK;
        memcpy(piece, s, (size_t)(m + k - 1));
        memset(piece + m + k - 1, 0, 40);
        index_kmers(piece, (m + 31) & ~(int64_t)31, index, k);
        for (int64_t i = 0; i < m; i++) table[index[i]]++;
    }
}

/* Indices of the 5-mers that start at s[0], s[2] ... s[62]: each stands for two 4-mers. Reads s[0 .. 67]. */
static inline u16x32 index_pairs(const uint8_t *s) {
    u16x32 a, b, c;
    memcpy(&a, s, 64);
    memcpy(&b, s + 2, 64);
    memcpy(&c, s + 4, 64);
    return ((a & 6) << 7) | (((a >> 9) & 3) << 6) | ((b & 6) << 3) | (((b >> 9) & 3) << 2) | ((c >> 1) & 3);
}

/* 4-mers of a long run: one count per two positions, in two tables so that few counts wait for the one before. */
static void count_long4(const uint8_t *s, int64_t n, uint32_t *table) {
    uint32_t part[2][1024];
    int64_t done = 0;
    memset(part, 0, sizeof part);
    if (n < 68) {
        count_direct(s, n, table, 4);
        return;
    }
    u16x32 pairs = index_pairs(s);
    for (; 2 * done + 132 <= n; done += 32) {
        uint64_t fours[8]; /* indices, four in each */
        memcpy(fours, &pairs, 64);
        pairs = index_pairs(s + 2 * done + 64); /* of the next turn, so that no count waits for it */
        for (int i = 0; i < 8; i++) {
            part[0][fours[i] & 1023]++;
            part[1][(fours[i] >> 16) & 1023]++;
            part[0][(fours[i] >> 32) & 1023]++;
            part[1][fours[i] >> 48]++;
        }
    }
    for (int i = 0; i < 1024; i++) part[0][i] += part[1][i];
    for (int i = 0; i < 256; i++) {
        const uint32_t *head = part[0] + 4 * i;
        table[i] += head[0] + head[1] + head[2] + head[3];
        table[i] += part[0][i] + part[0][256 + i] + part[0][512 + i] + part[0][768 + i];
    }
    count_direct(s + 2 * done, n - 2 * done, table, 4);
}

static void count_run(const uint8_t *s, int64_t n, uint32_t *table, int64_t k) {
    switch (k) {
    case 3: count_direct(s, n, table, 3); break;
    case 4: if (n >= LONG_RUN) count_long4(s, n, table); else count_direct(s, n, table, 4); break;
    case 5: count_direct(s, n, table, 5); break;
    default: count_direct(s, n, table, 6);
    }
}

/* Canonical counts of seq[lo .. hi): other letters than ACGTU end a run. */
uint64_t count_range(const uint8_t *s, int64_t lo, int64_t hi, int clean, const Setting *set, uint32_t *out) {
    uint32_t table[MAX_TABLE + 1];
    memset(table, 0, ((size_t)1 << (2 * set->k)) * sizeof *table);
    table[(size_t)1 << (2 * set->k)] = 0;
    if (clean) count_run(s + lo, hi - lo, table, set->k);
    for (int64_t i = lo; !clean && i < hi;) {
        int64_t end = i;
        while (end < hi && LETTER_CLASS[s[end]] == 1) end++;
        count_run(s + i, end - i, table, set->k);
        i = end + 1;
    }
    uint64_t total = 0;
    for (int64_t j = 0; j < set->n_canonical; j++) {
        out[j] = table[set->forward[j]] + table[set->reverse[j]];
        total += out[j];
    }
    return total;
}

/* |--- first half ---|(middle base of an odd read)|--- second half ---|: the reverse complement swaps the halves. */
void count_profile(const uint8_t *seq, int64_t n, int clean, const Setting *set, Profile *out) {
    uint32_t border[MAX_CANONICAL];
    const int64_t half = n / 2, k = set->k;
    out->total[0] = count_range(seq, 0, half, clean, set, out->counts[0]);
    out->total[1] = count_range(seq, n - half, n, clean, set, out->counts[1]);
    const int64_t lo = half - k + 1 > 0 ? half - k + 1 : 0;
    const int64_t hi = n - half + k - 1 < n ? n - half + k - 1 : n;
    out->total[2] = out->total[0] + out->total[1] + count_range(seq, lo, hi, clean, set, border);
    for (int64_t j = 0; j < set->n_canonical; j++) out->counts[2][j] = out->counts[0][j] + out->counts[1][j] + border[j];
}

static void write_frequencies(const uint32_t *counts, uint64_t total, int64_t dim, float *out) {
    const double divisor = total ? (double)total : 1.0;
    for (int64_t j = 0; j < dim; j++) out[j] = (float)((double)counts[j] / divisor);
}

/* The k-mers that occur, in order, and their counts as floats. */
typedef struct {
    int n;
    uint16_t kmer[MAX_CANONICAL];
    float count[MAX_CANONICAL][3];
} Present;

static void find_present(const Profile *profile, int64_t n_canonical, Present *out) {
    int n = 0;
    for (int64_t j = 0; j < n_canonical; j++) {
        out->kmer[n] = (uint16_t)j;
        for (int p = 0; p < 3; p++) out->count[n][p] = (float)profile->counts[p][j];
        n += profile->counts[2][j] != 0;
    }
    out->n = n;
}

/* Three profiles at once, 16 columns at a time; for each column the k-mers are added in order. */
static void project(const Profile *profile, const Setting *set, float *const *out) {
    static _Thread_local Present present;
    find_present(profile, set->n_canonical, &present);
    for (int64_t column = 0; column < set->dim; column += 16) {
        f32x16 sum[3] = {{0}, {0}, {0}};
        for (int i = 0; i < present.n; i++) {
            f32x16 row;
            memcpy(&row, set->basis + present.kmer[i] * PADDED + column, sizeof row);
            for (int p = 0; p < 3; p++) sum[p] += present.count[i][p] * row;
        }
        const int64_t width = set->dim - column < 16 ? set->dim - column : 16;
        for (int p = 0; p < 3; p++) {
            sum[p] /= profile->total[p] ? (float)profile->total[p] : 1.0f;
            memcpy(out[p] + column, &sum[p], (size_t)width * sizeof(float));
        }
    }
}

void write_features(const Profile *profile, const Setting *set, float *whole, float *first, float *second) {
    float *const out[3] = {first, second, whole};
    if (set->basis) {
        project(profile, set, out);
        return;
    }
    for (int p = 0; p < 3; p++) write_frequencies(profile->counts[p], profile->total[p], set->dim, out[p]);
}
