# subprocess, multiprocessing in all its ways to start, concurrent.futures.
import concurrent.futures as futures
import multiprocessing as mp
import subprocess
from multiprocessing import shared_memory


def square(n):
    return n * n


def put(queue, n):
    queue.put(n)


def add(value):
    for _ in range(200):
        with value.get_lock():
            value.value += 1


def main():
    print(subprocess.run(['cat'], input=b'hello', capture_output=True).stdout)
    print(subprocess.check_output('echo a | tr a b', shell=True))
    child = subprocess.Popen(['sleep', '100'])
    child.terminate()
    print(child.wait())
    try:
        subprocess.run(['sleep', '100'], timeout=0.1)
    except subprocess.TimeoutExpired:
        print('too long')
    for way in 'fork', 'spawn', 'forkserver':
        context = mp.get_context(way)
        with context.Pool(3) as pool:
            print(way, sum(pool.map(square, range(100))))
        queue = context.Queue()
        children = [context.Process(target=put, args=(queue, n)) for n in range(3)]
        for child in children:
            child.start()
        print(sorted(queue.get() for _ in children))
        for child in children:
            child.join()
        print([child.exitcode for child in children])
    with futures.ProcessPoolExecutor(3) as pool:
        print(list(pool.map(square, range(5))))
    with futures.ThreadPoolExecutor(3) as pool:
        print(list(pool.map(square, range(5))))
    context = mp.get_context('fork')
    value = context.Value('i', 0)
    children = [context.Process(target=add, args=(value,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print(value.value)
    memory = shared_memory.SharedMemory(create=True, size=100)
    memory.buf[0] = 7
    child = context.Process(target=lambda: memory.buf.__setitem__(1, memory.buf[0] + 1))
    child.start()
    child.join()
    print(memory.buf[1])
    memory.close()
    memory.unlink()


if __name__ == '__main__':
    main()
