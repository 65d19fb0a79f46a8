#include "nn/vertices.h"

#include "nn/internal.h"

vertex_info graph_vertex(const graph *g, node x)
{
    const vertex *v = &g->vertices[x];
    vertex_info i = {
        .layer = v->layer->name, .inputs = v->inputs, .in = {v->in[0], v->in[1]}, .kernel = v->kernel, .stride = v->stride, .pad = v->pad,
        .eps = NORM_EPS,
    };

    for (int k = 0; k < 4; k++)
        i.param[k] = v->param[k];
    return i;
}
