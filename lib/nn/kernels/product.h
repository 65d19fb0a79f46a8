/*
 * The matrix product in double precision that losses over pairs need: plain
 * row-major operands, a register tile of PRODUCT_ROWS times PRODUCT_VECS vectors.
 */
enum { DOUBLES = LANES / 2, PRODUCT_ROWS = 6, PRODUCT_VECS = LANES == 16 ? 4 : 2 };

typedef double dvec __attribute__((vector_size(LANES * 4)));
typedef dvec dvec_in_memory __attribute__((may_alias));

INLINE dvec load_doubles(const double *p)
{
    return *(const dvec_in_memory *)p;
}

INLINE void product_tile(const product_args *p, int row, int column, const int M, const int V)
{
    const double *a = p->a + (size_t)row * p->a_row, *b = p->b + column;
    double *c = p->c + (size_t)row * p->c_row + column;
    dvec acc[PRODUCT_ROWS][PRODUCT_VECS];

    UNROLL for (int m = 0; m < M; m++)
        UNROLL for (int v = 0; v < V; v++)
            acc[m][v] = p->accumulate ? load_doubles(c + (size_t)m * p->c_row + v * DOUBLES) : (dvec){0};
    for (int k = 0; k < p->depth; k++, b += p->b_row) {
        dvec x[PRODUCT_VECS];
        UNROLL for (int v = 0; v < V; v++)
            x[v] = load_doubles(b + v * DOUBLES);
        UNROLL for (int m = 0; m < M; m++) {
            double s = a[(size_t)m * p->a_row + (size_t)k];
            UNROLL for (int v = 0; v < V; v++)
                acc[m][v] += x[v] * s;
        }
    }
    UNROLL for (int m = 0; m < M; m++)
        UNROLL for (int v = 0; v < V; v++)
            *(dvec_in_memory *)(c + (size_t)m * p->c_row + v * DOUBLES) = acc[m][v];
}

INLINE void product_columns(const product_args *p, int column, const int V)
{
    int row = 0;

    for (; row + PRODUCT_ROWS <= p->rows; row += PRODUCT_ROWS)
        product_tile(p, row, column, PRODUCT_ROWS, V);
    for (; row < p->rows; row++)
        product_tile(p, row, column, 1, V);
}

static void product(const product_args *p)
{
    int column = 0;

    for (; column + PRODUCT_VECS * DOUBLES <= p->columns; column += PRODUCT_VECS * DOUBLES)
        product_columns(p, column, PRODUCT_VECS);
    for (; column < p->columns; column += DOUBLES)
        product_columns(p, column, 1);
}
