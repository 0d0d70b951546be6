"""The offline room: data, encoders, teachers, knowledge, students, distillation and evaluation. No code of it runs online."""
