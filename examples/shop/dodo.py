from layerdoit import task_layerdoit
