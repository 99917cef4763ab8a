from toolkit.results import Result


class Funnel(Result):
    pass
