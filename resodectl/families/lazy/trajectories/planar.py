"""Full-batch descent of small ReLU students in the plane, in elementwise products that run over all runs at once.

`students.descend` gives the same; its products of matrices pay from a few thousand entries a run on, and cost three
times as much for a few units and samples.
"""

import torch

from resodectl.families.lazy.students import Samples, Sizes, Student


def descend_in_plane(student: Student, data: Samples, by: Sizes, steps: int) -> Student:
    """The student after some steps of descent on samples `(groups, n, 2)`; the student given stays as it is."""
    each = len(student.output) // len(data.inputs)
    x, x_2 = data.inputs.repeat_interleave(each, 0).permute(2, 1, 0).unsqueeze(2).contiguous()  # each (n, 1, runs)
    y = data.targets.repeat_interleave(each, 0).mT.contiguous()
    b, b_2, a = (part.mT.contiguous().clone() for part in (*student.hidden.unbind(2), student.output))  # (m, runs)
    pace = by.hidden / len(x), by.output / len(x)
    units = x.new_empty(len(x), *a.shape)
    work = torch.empty_like(units)
    for _ in range(steps):
        torch.mul(x, b, out=units).addcmul_(x_2, b_2).clamp_min_(0)
        wrong = torch.mul(units, a, out=work).sum(1).sub_(y).unsqueeze(1)
        torch.sign(units, out=units).mul_(wrong)
        pull, pull_2 = (torch.mul(units, of, out=work).sum(0) for of in (x, x_2))
        along = b * pull + b_2 * pull_2  # sum_i r_i relu(<b, x_i>), relu being homogeneous
        step = a * pace[0]
        b.addcmul_(pull, step, value=-1)
        b_2.addcmul_(pull_2, step, value=-1)
        a.addcmul_(along, pace[1], value=-1)
    return Student(torch.stack([b.mT, b_2.mT], 2), a.mT.contiguous())
