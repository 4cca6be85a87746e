/* K-mer profiles of one sequence: integer counts of canonical k-mers, then features in a fixed order of float steps. */
#include <string.h>
#ifdef __AVX512BW__
#include <immintrin.h>
#endif
#include "scan.h"

enum { LANES = BYTES / 2, FLOATS = BYTES / 4, SUMS = 7 };
typedef float f32xn __attribute__((vector_size(BYTES)));

enum { CHUNK = 1024, LONG_RUN = 240, PIECE = 60000 };

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

/* Not inline: a size known to the compiler would become `rep stos`, which is slow to begin. */
__attribute__((noinline)) static void clear(void *to, size_t bytes) {
    memset(to, 0, bytes);
}

/* Place of the 4-mer at s[0]. */
static inline uint32_t index_four(const uint8_t *s) {
    return (s[0] & 6u) << 5 | (s[1] & 6u) << 3 | (s[2] & 6u) << 1 | (s[3] & 6u) >> 1;
}

/* Indices of the 5-mers that start at s[0], s[2] ...: each stands for two 4-mers. The last letter is the highest digit,
   so that both 4-mers are sums of whole rows of the table. Reads s[0 .. 2 * LANES + 3]. */
static inline u16xn index_pairs(const uint8_t *s) {
    u16xn ab, cd, e;
    memcpy(&ab, s, sizeof ab);
    memcpy(&cd, s + 2, sizeof cd);
    memcpy(&e, s + 4, sizeof e);
    return ((e & 6) << 7) | ((ab & 6) << 5) | (((ab >> 9) & 3) << 4) | ((cd & 6) << 1) | ((cd >> 9) & 3);
}

/* 32 of them, in as many registers as that takes. */
typedef struct {
    u16xn part[32 / LANES];
} Block;

static inline Block index_block(const uint8_t *s) {
    Block block;
    for (int i = 0; i < 32 / LANES; i++) block.part[i] = index_pairs(s + 2 * LANES * i);
    return block;
}

static inline __attribute__((always_inline)) void count_block(const Block *block, uint16_t *table, const int size) {
    uint64_t fours[8]; /* indices, four in each */
    memcpy(fours, block, sizeof fours);
    for (int i = 0; i < 8; i++)
        for (int shift = 0; shift < 64; shift += 16) table[(fours[i] >> shift) & (size - 1)]++;
}

static const uint16_t LANE[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                   16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

/* abcde counts for abcd and for bcde. */
static void fold_pairs(const uint16_t *part, uint32_t *table) {
    uint16_t left[256], right[256];
    for (int i = 0; i < 256; i++) left[i] = (uint16_t)(part[i] + part[256 + i] + part[512 + i] + part[768 + i]);
    for (int e = 0; e < 4; e++)
        for (int i = 0; i < 64; i++) {
            const uint16_t *one = part + 256 * e + i;
            right[64 * e + i] = (uint16_t)(one[0] + one[64] + one[128] + one[192]);
        }
    for (int i = 0; i < 64; i++)
        for (int e = 0; e < 4; e++) table[4 * i + e] += (uint32_t)left[4 * i + e] + right[64 * e + i];
}

/* 4-mers that start at s[0 .. m-1], 65 <= m < 2^17: one count per two positions. No byte beyond s[m + 2] is read: the
   last block ends with the one but last k-mer, and what it has in common with the block before goes where nobody reads. */
static void count_pairs(const uint8_t *s, int64_t m, uint32_t *table) {
    uint16_t part[2048];
    int64_t done = 0;
    clear(part, 1024 * sizeof *part);
    Block next = index_block(s);
    for (; done + 65 <= m; done += 64) {
        const Block block = next; /* the next is on its way while this one is counted */
        next = index_block(s + (done + 129 <= m ? done + 64 : m - 65));
        count_block(&block, part, 1024);
    }
    const int64_t left = m - 1 - done;
    for (int i = 0; i < 32 / LANES; i++) {
        u16xn lane;
        memcpy(&lane, LANE + i * LANES, sizeof lane);
        next.part[i] |= (u16xn)(lane < (uint16_t)(32 - (left >> 1))) & 1024;
    }
    count_block(&next, part, 2048);
    if (left & 1) table[index_four(s + done)]++;
    table[index_four(s + m - 1)]++;
    fold_pairs(part, table);
}

/* A piece is short enough for no count to pass 16 bits, and what is left of a run is no shorter than count_pairs needs. */
static void count_long4(const uint8_t *s, int64_t n, uint32_t *table) {
    for (int64_t left = n - 3; left > 0;) {
        const int64_t m = left < 2 * PIECE ? left : PIECE;
        count_pairs(s, m, table);
        s += m;
        left -= m;
    }
}

static void count_run(const uint8_t *s, int64_t n, uint32_t *table, int64_t k) {
    switch (k) {
    case 3: count_direct(s, n, table, 3); break;
    case 4: if (n >= LONG_RUN) count_long4(s, n, table); else count_direct(s, n, table, 4); break;
    case 5: count_direct(s, n, table, 5); break;
    default: count_direct(s, n, table, 6);
    }
}

#ifdef __AVX512BW__
/* table[at] for 32 places: two registers hold 64 of the 256 counts; the empty place 256 gives 0. */
static inline __m512i look_up(const __m512i *table, __m512i at) {
    const __mmask32 odd = _mm512_test_epi16_mask(at, _mm512_set1_epi16(64));
    const __mmask32 upper = _mm512_test_epi16_mask(at, _mm512_set1_epi16(128));
    __m512i quarter[4];
    for (int i = 0; i < 4; i++) quarter[i] = _mm512_permutex2var_epi16(table[2 * i], at, table[2 * i + 1]);
    const __m512i low = _mm512_mask_blend_epi16(odd, quarter[0], quarter[1]);
    const __m512i high = _mm512_mask_blend_epi16(odd, quarter[2], quarter[3]);
    return _mm512_maskz_mov_epi16(_mm512_testn_epi16_mask(at, _mm512_set1_epi16(256)), _mm512_mask_blend_epi16(upper, low, high));
}

/* Canonical 4-mers in whole blocks of 32, if no count needs more than 16 bits; returns how many it did. */
static int64_t fold_fours(const uint32_t *table, const Setting *set, uint32_t *out) {
    __m512i narrow[8];
    int64_t j = 0;
    for (int i = 0; i < 8; i++) {
        const __m256i low = _mm512_cvtepi32_epi16(_mm512_loadu_si512(table + 32 * i));
        const __m256i high = _mm512_cvtepi32_epi16(_mm512_loadu_si512(table + 32 * i + 16));
        narrow[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    for (; j + 32 <= set->n_canonical; j += 32) {
        const __m512i one = look_up(narrow, _mm512_loadu_si512(set->forward + j));
        const __m512i sum = _mm512_add_epi16(one, look_up(narrow, _mm512_loadu_si512(set->reverse + j)));
        _mm512_storeu_si512(out + j, _mm512_cvtepu16_epi32(_mm512_castsi512_si256(sum)));
        _mm512_storeu_si512(out + j + 16, _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(sum, 1)));
    }
    return j;
}
#endif

/* Canonical counts from those of all k-mers, `total` in all. */
static void fold_strands(const uint32_t *table, uint64_t total, const Setting *set, uint32_t *out) {
    int64_t j = 0;
#ifdef __AVX512BW__
    if (set->k == 4 && total <= UINT16_MAX) j = fold_fours(table, set, out);
#endif
    (void)total;
    for (; j < set->n_canonical; j++) out[j] = table[set->forward[j]] + table[set->reverse[j]];
}

/* Canonical counts of seq[lo .. hi): other letters than ACGTU end a run. Returns how many there are. */
uint64_t count_range(const uint8_t *s, int64_t lo, int64_t hi, int clean, const Setting *set, uint32_t *out) {
    uint32_t table[MAX_TABLE + 1];
    uint64_t total = 0;
    clear(table, (((size_t)1 << (2 * set->k)) + 1) * sizeof *table);
    for (int64_t i = lo, end; i < hi; i = end + 1) {
        end = clean ? hi : i;
        while (end < hi && LETTER_CLASS[s[end]] == 1) end++;
        if (end - i < set->k) continue;
        count_run(s + i, end - i, table, set->k);
        total += (uint64_t)(end - i - set->k + 1);
    }
    fold_strands(table, total, set, out);
    return total;
}

/* The canonical k-mer that is, or whose reverse complement is, at `place` of the table. */
static int64_t canonical_at(const Setting *set, uint16_t place) {
    uint16_t found = 0;
    for (uint16_t j = 0; j < (uint16_t)set->n_canonical; j++)
        found |= (uint16_t)(-((set->forward[j] == place) | (set->reverse[j] == place)) & j);
    return found;
}

/* Canonical counts of the few k-mers in s[lo .. hi). */
static uint64_t count_few(const uint8_t *s, int64_t lo, int64_t hi, const Setting *set, uint32_t *out) {
    const unsigned last = (1u << (2 * set->k)) - 1;
    unsigned place = 0;
    uint64_t total = 0;
    memset(out, 0, (size_t)set->n_canonical * sizeof *out);
    for (int64_t i = lo, run = 0; i < hi; i++) {
        run = LETTER_CLASS[s[i]] == 1 ? run + 1 : 0;
        place = (place << 2 | ((s[i] >> 1) & 3)) & last;
        if (run < set->k) continue;
        out[canonical_at(set, (uint16_t)place)]++;
        total++;
    }
    return total;
}

/* |--- first half ---|(middle base of an odd read)|--- second half ---|: the reverse complement swaps the halves.
   The border holds the k-mers of neither half. */
void count_profile(const uint8_t *seq, int64_t n, int clean, const Setting *set, Profile *out) {
    const int64_t half = n / 2, k = set->k;
    out->total[FIRST] = count_range(seq, 0, half, clean, set, out->counts[FIRST]);
    out->total[SECOND] = count_range(seq, n - half, n, clean, set, out->counts[SECOND]);
    const int64_t lo = half - k + 1 > 0 ? half - k + 1 : 0;
    const int64_t hi = n - half + k - 1 < n ? n - half + k - 1 : n;
    const uint64_t between = count_few(seq, lo, hi, set, out->counts[BORDER]);
    out->total[WHOLE] = out->total[FIRST] + out->total[SECOND] + between;
    for (int64_t j = 0; j < set->n_canonical; j++)
        out->counts[WHOLE][j] = out->counts[FIRST][j] + out->counts[SECOND][j] + out->counts[BORDER][j];
}

static void write_frequencies(const uint32_t *counts, uint64_t total, int64_t dim, float *out) {
    const double divisor = total ? (double)total : 1.0;
    for (int64_t j = 0; j < dim; j++) out[j] = (float)((double)counts[j] / divisor);
}

/* Counts of both halves times the basis: k-mers are added one by one in order, in as many sums as registers hold. */
static void project(const Profile *profile, const uint16_t *kmer, int n, const Setting *set, float sums[][PADDED]) {
    for (int column = 0; column < PADDED; column += SUMS * FLOATS) {
        f32xn sum[2][SUMS] = {{{0}}};
        for (int i = 0; i < n; i++) {
            const float *row = set->basis + kmer[i] * PADDED + column;
            const float one = (float)(int32_t)profile->counts[FIRST][kmer[i]];
            const float two = (float)(int32_t)profile->counts[SECOND][kmer[i]];
            for (int v = 0; v < SUMS; v++) {
                f32xn part;
                memcpy(&part, row + v * FLOATS, sizeof part);
                sum[0][v] += one * part;
                sum[1][v] += two * part;
            }
        }
        memcpy(sums[FIRST] + column, sum[0], sizeof sum[0]);
        memcpy(sums[SECOND] + column, sum[1], sizeof sum[1]);
    }
}

/* The k-mers that occur in the halves, in order; of a long read all of them, for one that does not occur adds nothing. */
static int find_kmers(const Profile *profile, int64_t n_canonical, uint16_t *kmer) {
    int n = 0;
    if (profile->total[WHOLE] > 2 * (uint64_t)n_canonical) {
        for (int64_t j = 0; j < n_canonical; j++) kmer[j] = (uint16_t)j;
        return (int)n_canonical;
    }
    for (int64_t j = 0; j < n_canonical; j++) {
        kmer[n] = (uint16_t)j;
        n += (profile->counts[FIRST][j] | profile->counts[SECOND][j]) != 0;
    }
    return n;
}

/* The whole read is the sum of its halves and of their border, so that it need not be projected again. */
static void write_projections(const Profile *profile, const Setting *set, float *const *out) {
    uint16_t kmer[MAX_CANONICAL];
    float sums[3][PADDED], border[PADDED] = {0};
    const int n = find_kmers(profile, set->n_canonical, kmer);
    project(profile, kmer, n, set, sums);
    for (int64_t j = 0; j < set->n_canonical; j++) {
        if (profile->counts[BORDER][j] == 0) continue;
        const float count = (float)(int32_t)profile->counts[BORDER][j], *row = set->basis + j * PADDED;
        for (int c = 0; c < PADDED; c++) border[c] += count * row[c];
    }
    for (int c = 0; c < PADDED; c++) sums[WHOLE][c] = sums[FIRST][c] + sums[SECOND][c] + border[c];
    for (int p = 0; p < 3; p++) {
        const float total = profile->total[p] ? (float)profile->total[p] : 1.0f;
        for (int c = 0; c < PADDED; c++) sums[p][c] /= total;
        memcpy(out[p], sums[p], (size_t)set->dim * sizeof(float));
    }
}

void write_features(const Profile *profile, const Setting *set, float *whole, float *first, float *second) {
    float *const out[3] = {first, second, whole};
    if (set->basis) {
        write_projections(profile, set, out);
        return;
    }
    for (int p = 0; p < 3; p++) write_frequencies(profile->counts[p], profile->total[p], set->dim, out[p]);
}
