"""The offline room: data, encoders, teachers, knowledge, students, distillation, evaluation. None of it runs online."""
